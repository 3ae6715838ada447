import { ParityError } from '../errors.ts';
import { listGoldens, readGolden } from '../golden/file.ts';
import { Shape } from './shape.ts';

/** The scenario whose golden is filled; the others of the version add the keys and headers that it lacks. */
const plainScenario = 'default';

/** The same turn over HTTP. */
const httpScenario = 'http-fallback';

/** The shape of a version with a way of signing in, from its goldens in a folder. Throws ParityError where the one of the plain turn is missing. */
export async function loadShape(goldens: string, codex: string, lane = 'chatgpt'): Promise<Shape> {
  const files = listGoldens(goldens).filter((one) => one.codex === codex && one.lane === lane);
  const all = await Promise.all(files.map(({ path }) => readGolden(path)));
  const named = (name: string) => all.find(({ scenario }) => scenario === name);
  const golden = named(plainScenario);
  if (golden !== undefined) return new Shape(golden, all, named(httpScenario));
  throw new ParityError(
    'no-golden',
    `codex ${codex} has no golden for scenario "${plainScenario}" in lane ${lane}, from which the proxy takes its shape`,
  );
}
