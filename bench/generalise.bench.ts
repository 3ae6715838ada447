import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readGolden } from '../src/golden/file.ts';
import { generalise } from '../src/golden/learn/generalise.ts';
import { exchangesOf } from '../src/golden/trace/exchanges.ts';
import { madeUpRuns } from './diff/made-up.ts';
import { goal } from './goal.ts';

/** Generalising three made-up runs: how the time for a megabyte grows when there is more of them. */
const repository = join(import.meta.dirname, '..');
/** Sizes of one run, in megabytes. */
const sizes = (process.env.BENCH_MEGABYTES ?? '1,4,16').split(',').map(Number);
const runs = 3;
/** How much longer a megabyte of the largest may take than one of the second: linear, and room for a busy machine. */
const most = 1.5;

const pattern = readGolden(join(repository, 'traces/0.169.0/chatgpt/tool-turn.golden.jsonl'));
const rows = sizes.map((size) => {
  process.stderr.write(`${size} MB\n`);
  const recordings = madeUpRuns(pattern, size * 1_000_000, runs).map(exchangesOf);
  const start = performance.now();
  const { variables } = generalise(
    { codex: pattern.codex, lane: pattern.lane, scenario: 'made-up' },
    recordings,
  );
  const perMegabyte = (performance.now() - start) / size;
  return { megabytes: size, variables: variables.size, perMegabyte };
});
console.table(
  rows.map(({ megabytes, variables, perMegabyte }) => ({
    'each run, MB': megabytes,
    variables,
    'ms/MB': perMegabyte.toFixed(0),
  })),
);
const [less, more] = rows.slice(-2);
const growth = (more?.perMegabyte ?? Number.NaN) / (less?.perMegabyte ?? Number.NaN);
goal(
  growth < most,
  `a megabyte of ${more?.megabytes} takes ${growth.toFixed(2)} times what one of ${less?.megabytes} takes`,
  `less than ${most}`,
);
mkdirSync(join(repository, '.codex-parity'), { recursive: true });
writeFileSync(
  join(repository, '.codex-parity/bench-generalise.json'),
  JSON.stringify({ runs, growth, rows }, null, 2),
);
