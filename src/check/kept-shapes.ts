import { resolve } from 'node:path';
import { readGolden } from '../golden/file.ts';
import type { Golden } from '../golden/golden.ts';
import type { loadShape, Shape } from '../proxy/shape/shape.ts';

/** The most shapes that are kept: scenarios are played version by version, several at a time. */
const mostKept = 4;

/**
 * Returns a `loadShape` that keeps the last shapes. A run starts the bundled proxy for each scenario, and would read all
 * goldens of the version each time: 40% of its CPU time (measured: 222 scenarios).
 */
export function shapeLoader(read = readGolden): typeof loadShape {
  const kept = new Map<string, Promise<Shape>>();
  return (goldens, codex, lane) => {
    const key = JSON.stringify([goldens, codex, lane]);
    const shape = kept.get(key) ?? load(goldens, codex, lane, read);
    // The last one that was used is the last one to go.
    kept.delete(key);
    kept.set(key, shape);
    for (const old of [...kept.keys()].slice(0, -mostKept)) kept.delete(old);
    return shape;
  };
}

const load: typeof loadShape = async (...options) => {
  const shapes = await import('../proxy/shape/shape.ts');
  return shapes.loadShape(...options);
};

/** The most goldens that wait for their second reading: more than a version has in one lane. */
const mostWaiting = 128;

/** Returns a `readGolden` that reads a file for two readings: a run needs a golden for the shape of its version, and for its scenario. */
export function goldenReader(): typeof readGolden {
  const waiting = new Map<string, Golden>();
  return (path, lines) => {
    const key = resolve(path);
    const golden = waiting.get(key);
    if (waiting.delete(key) && golden !== undefined) return golden;
    const read = readGolden(path, lines);
    waiting.set(key, read);
    for (const old of [...waiting.keys()].slice(0, -mostWaiting)) waiting.delete(old);
    return read;
  };
}
