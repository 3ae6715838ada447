import { ParityError } from '../errors.ts';
import { listGoldens, readGolden } from '../golden/file.ts';
import { Shape } from './shape.ts';

/** The scenario whose golden is filled; the others of the version add the keys that it lacks. */
const plainScenario = 'default';

/** The shape of a version, from its goldens in a folder. Throws ParityError where the one of the plain turn is missing. */
export async function loadShape(goldens: string, codex: string): Promise<Shape> {
  const files = listGoldens(goldens).filter((one) => one.codex === codex && one.lane === 'chatgpt');
  const all = await Promise.all(files.map(({ path }) => readGolden(path)));
  const golden = all.find(({ scenario }) => scenario === plainScenario);
  if (golden !== undefined) return new Shape(golden, all);
  throw new ParityError(
    'no-golden',
    `codex ${codex} has no golden for scenario "${plainScenario}", from which the proxy takes its shape`,
  );
}
