import { ParityError } from '../../errors.ts';
import { listGoldens, readGolden } from '../../golden/file.ts';
import type { Golden } from '../../golden/golden.ts';
import { outlineOf } from './request-pattern.ts';
import { Shape } from './shape.ts';

/** The scenario whose golden is the template. The version's other goldens add the keys and headers that it lacks. */
const websocketScenario = 'default';

/** The scenario with the same turn over HTTP. */
const httpScenario = 'http-fallback';

/**
 * Loads the shape of a version and lane from a folder of goldens. Throws ParityError `no-golden` if the golden of
 * scenario `default` is missing.
 */
export async function loadShape(goldens: string, codex: string, lane = 'chatgpt'): Promise<Shape> {
  const outlines: Golden[] = [];
  let websocket: Golden | undefined;
  let http: Golden | undefined;
  // Reduce each golden to its outline before reading the next: their contents together would take much memory.
  for (const file of listGoldens(goldens)) {
    if (file.codex !== codex || file.lane !== lane) continue;
    const golden = readGolden(file.path);
    outlines.push(outlineOf(golden));
    if (golden.scenario === websocketScenario) websocket = golden;
    if (golden.scenario === httpScenario) http = golden;
  }
  if (websocket !== undefined) return new Shape(websocket, outlines, http);
  throw new ParityError(
    'no-golden',
    `codex ${codex} has no golden for scenario "${websocketScenario}" in lane ${lane}, and the proxy needs it as its template: record it first`,
  );
}
