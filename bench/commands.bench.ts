import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goal } from './goal.ts';

/**
 * Measures whole processes of commands, so that the harness does not grow slower unnoticed: a check of the bundled proxy with the
 * scenarios of two versions, and a recording of one scenario with the official client, which `record` installs once.
 */
const repository = join(import.meta.dirname, '..');
const megabyte = 1024 * 1024;
const versions = ['0.169.0', '0.171.0'];
const work = mkdtempSync(join(tmpdir(), 'codex-parity-bench-'));
const scenarios = versions.flatMap((version) =>
  readdirSync(join(repository, 'traces', version, 'chatgpt')),
).length;
try {
  const rows = {
    check: measured(['check', '--codex', versions.join()]),
    record: measured([
      'record',
      '--codex',
      '0.171.0',
      '--scenario',
      'default',
      '--out',
      join(work, 'goldens'),
    ]),
  };
  console.table(
    Object.entries(rows).map(([command, { seconds, cpu, megabytes }]) => ({
      command,
      s: seconds.toFixed(1),
      'CPU s': cpu.toFixed(1),
      MB: Math.round(megabytes),
    })),
  );
  goal(
    rows.check.seconds < 10,
    `a check of ${scenarios} scenarios takes ${rows.check.seconds.toFixed(1)} s, ${rows.check.cpu.toFixed(1)} s of them on a processor`,
    'less than 10 s with nothing else running',
  );
  mkdirSync(join(repository, '.codex-parity'), { recursive: true });
  writeFileSync(join(repository, '.codex-parity/bench-commands.json'), JSON.stringify(rows, null, 2));
} finally {
  rmSync(work, { recursive: true });
}

type Usage = { readonly seconds: number; readonly cpu: number; readonly megabytes: number };

/** Runs a command, and returns its wall and CPU time in seconds, and the most memory of its main process. */
function measured(words: readonly string[]): Usage {
  const usage = join(work, 'usage');
  const [start, before] = [performance.now(), childCpu()];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...['--import', join(import.meta.dirname, 'diff/usage.ts'), join(repository, 'src/cli/main.ts')],
      ...words,
    ],
    { env: { ...process.env, BENCH_USAGE: usage }, encoding: 'utf8' },
  );
  const seconds = (performance.now() - start) / 1000;
  if (status !== 0) throw new Error(`${words.join(' ')}: ${stdout.slice(0, 2000)}${stderr.slice(-2000)}`);
  return { seconds, cpu: childCpu() - before, megabytes: Number(readFileSync(usage, 'utf8')) / megabyte };
}

/** Returns the CPU time of all child processes that have ended, in seconds; 0 on other systems than Linux. */
function childCpu(): number {
  try {
    // After the name, which may have spaces: cutime and cstime are the 14th and 15th field, in ticks of 10 ms.
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return (Number(fields[13]) + Number(fields[14])) / 100;
  } catch {
    return 0;
  }
}
