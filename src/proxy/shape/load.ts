import { ParityError } from '../../errors.ts';
import { listGoldens, readGolden } from '../../golden/file.ts';
import type { Golden } from '../../golden/golden.ts';
import { outlineOf } from './pattern.ts';
import { Shape } from './shape.ts';

/** The scenario whose golden is filled; the others of the version add the keys and headers that it lacks. */
const plainScenario = 'default';

/** The same turn over HTTP. */
const httpScenario = 'http-fallback';

/**
 * The shape of a version with a way of signing in, from its goldens in a folder. Throws ParityError where the one of
 * the plain turn is missing.
 */
export async function loadShape(goldens: string, codex: string, lane = 'chatgpt'): Promise<Shape> {
  const outlines: Golden[] = [];
  const whole = new Map<string, Golden>();
  // One after the other, so that the content of only one is in memory.
  for (const file of listGoldens(goldens)) {
    if (file.codex !== codex || file.lane !== lane) continue;
    const golden = readGolden(file.path);
    outlines.push(outlineOf(golden));
    if (golden.scenario === plainScenario || golden.scenario === httpScenario)
      whole.set(golden.scenario, golden);
  }
  const golden = whole.get(plainScenario);
  if (golden !== undefined) return new Shape(golden, outlines, whole.get(httpScenario));
  throw new ParityError(
    'no-golden',
    `codex ${codex} has no golden for scenario "${plainScenario}" in lane ${lane}, from which the proxy takes its shape`,
  );
}
