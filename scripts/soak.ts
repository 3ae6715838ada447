// Plays many sessions through the bundled proxy at once, with clients that leave and a backend that fails, and checks that
// nothing is lost, doubled or mixed up, and that the proxy then holds what it held before.
import { parseArgs } from 'node:util';
import { progress } from '../src/cli/progress.ts';
import { ParityError } from '../src/errors.ts';
import { runMain } from './run-main.ts';
import type { Verdict } from './soak/judge.ts';
import { type SoakResult, soak } from './soak/soak.ts';

const usage = 'npm run soak -- [--sessions N] [--seed N] [--suspend] [--fail-fast]';

/** Breaches to print. */
const mostBreaches = 50;

async function main(): Promise<number> {
  const { count, seed, failFast, suspends } = options();
  const result = await soak({ count, seed, failFast, suspends, progress });
  print(result);
  const holds = result.breaches.length === 0;
  process.stdout.write(`the proxy ${holds ? 'holds' : 'does not hold'} (${count} sessions, seed ${seed})\n`);
  return holds ? 0 : 1;
}

function options() {
  const { values } = parseArgs({
    options: {
      sessions: { type: 'string', default: '300' },
      seed: { type: 'string', default: '1' },
      'fail-fast': { type: 'boolean', default: false },
      suspend: { type: 'boolean', default: false },
    },
  });
  const [count, seed] = [Number(values.sessions), Number(values.seed)];
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(seed) || seed < 0) {
    throw new ParityError('usage', `--sessions and --seed must be whole numbers: ${usage}`);
  }
  return { count, seed, failFast: values['fail-fast'], suspends: values.suspend };
}

function print({ verdicts, breaches, requests, before, after }: SoakResult): void {
  for (const breach of breaches.slice(0, mostBreaches)) process.stdout.write(`breach: ${breach}\n`);
  if (breaches.length > mostBreaches) process.stdout.write(`and ${breaches.length - mostBreaches} more\n`);
  const number = (kind: Verdict['kind']) => verdicts.filter((verdict) => verdict.kind === kind).length;
  const row = (cells: readonly (string | number | undefined)[]) =>
    `${cells.map((cell) => String(cell ?? '-').padEnd(12)).join('')}\n`;
  process.stdout.write(
    `${verdicts.length} turns: ${number('content')} with their content, ${number('error')} with an error, ` +
      `${number('left')} left by the client; ${requests} requests to the backend\n` +
      row(['proxy', 'memory', 'descriptors', 'timers', 'sessions']) +
      row(['before', before?.memory, before?.descriptors, before?.timers.length, before?.sessions]) +
      row(['after', after?.memory, after?.descriptors, after?.timers.length, after?.sessions]),
  );
}

await runMain(main);
