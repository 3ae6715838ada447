import { loadShape, type Shape } from '../proxy/shape/shape.ts';

/** The most shapes that are kept: scenarios are played version by version, several at a time. */
const mostKept = 4;

/**
 * Returns a `loadShape` that keeps the last shapes. A run starts the bundled proxy for each scenario, and would read all
 * goldens of the version each time: 40% of its CPU time (measured: 222 scenarios).
 */
export function shapeLoader(): typeof loadShape {
  const kept = new Map<string, Promise<Shape>>();
  return (goldens, codex, lane) => {
    const key = JSON.stringify([goldens, codex, lane]);
    const shape = kept.get(key) ?? loadShape(goldens, codex, lane);
    // The last one that was used is the last one to go.
    kept.delete(key);
    kept.set(key, shape);
    for (const old of [...kept.keys()].slice(0, -mostKept)) kept.delete(old);
    return shape;
  };
}
