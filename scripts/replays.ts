// Plays both sides of every golden against each other, as recorded and with seeds of variation: the trace of each replay must
// match its golden without a finding.
import { parseArgs } from 'node:util';
import { inParallel } from '../src/check/in-parallel.ts';
import { progress } from '../src/cli/progress.ts';
import { ParityError } from '../src/errors.ts';
import { readGolden } from '../src/golden/file.ts';
import { bundledGoldens, selectGoldens } from '../src/golden/select.ts';
import { count } from '../src/report/count.ts';
import { playBothSides } from './replays/play.ts';
import { runMain } from './run-main.ts';

const usage = 'npm run replays -- [--seeds 1,2,3] [--codex VERSIONS] [--scenario NAMES]';

/** Replays wait most of the time. */
const concurrency = 8;

async function main(): Promise<number> {
  const { seeds, versions, scenarios } = options();
  const files = selectGoldens([bundledGoldens], versions, scenarios);
  const plays = [undefined, ...seeds].flatMap((vary) => files.map((file) => ({ file, vary })));
  let played = 0;
  const problems = await inParallel(plays, concurrency, async ({ file, vary }) => {
    const name = `${file.codex} ${file.lane} ${file.scenario}, ${vary === undefined ? 'as recorded' : `seed ${vary}`}`;
    const wrong = await playBothSides(readGolden(file.path), vary);
    played += 1;
    if (played % 50 === 0) progress(`${played} of ${plays.length}`);
    return wrong.map((problem) => `${name}: ${problem}`);
  });
  for (const problem of problems.flat()) process.stdout.write(`${problem}\n`);
  const bad = problems.filter(({ length }) => length > 0).length;
  const what = `${count(files.length, 'golden')}, as recorded and with ${count(seeds.length, 'seed')}`;
  process.stdout.write(`${what}: ${bad === 0 ? 'no finding' : `${bad} of ${plays.length} replays differ`}\n`);
  return bad === 0 ? 0 : 1;
}

function options() {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1,2,3' },
      codex: { type: 'string' },
      scenario: { type: 'string' },
    },
  });
  const seeds = values.seeds.split(',').filter((text) => text !== '');
  if (!seeds.every((text) => /^\d+$/.test(text)))
    throw new ParityError('usage', `--seeds must be whole numbers (${usage})`);
  return {
    seeds: seeds.map(Number),
    versions: values.codex?.split(','),
    scenarios: values.scenario?.split(','),
  };
}

await runMain(main);
