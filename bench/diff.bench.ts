import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readGolden } from '../src/golden/file.ts';
import { writeMadeUp } from './diff/made-up.ts';
import { goal } from './goal.ts';

/**
 * Measures `diff`, beside a program that parses the lines of the same files. Each is a process of its own, measured from
 * start to end, in turn, so that other load slows both. The fastest of several runs counts, and the largest memory.
 */
const repository = join(import.meta.dirname, '..');
const committed = join(repository, 'traces/0.169.0/chatgpt/tool-turn.golden.jsonl');
const megabyte = 1_000_000;
const runs = Number(process.env.BENCH_RUNS ?? 3);
/**
 * What is compared, with the goals: a trace of the size of a scenario, and a long live session with the golden of a
 * scenario. The last one has no goal: a golden as large as its trace exists only here.
 */
const cases = [
  { name: 'scenario', trace: 0.14, golden: 'made up', goals: { seconds: 0.5, megabytes: 400 } },
  { name: 'live session', trace: 20, golden: 'committed', goals: { seconds: 4, megabytes: 400 } },
  { name: 'golden of the same size', trace: 10, golden: 'made up', goals: undefined },
] as const;

type Usage = { readonly seconds: number; readonly megabytes: number };

const work = mkdtempSync(join(tmpdir(), 'codex-parity-bench-'));
const [madeUp, trace] = [join(work, 'golden.jsonl'), join(work, 'trace.jsonl')];
try {
  const rows = cases.map((one) => {
    process.stderr.write(`${one.name}\n`);
    writeMadeUp(readGolden(committed), one.trace * megabyte, madeUp, trace);
    const golden = one.golden === 'committed' ? committed : madeUp;
    const both = Array.from({ length: runs }, () => ({
      parse: measured([join(import.meta.dirname, 'diff/parse-lines.ts'), golden, trace]),
      diff: measured([join(repository, 'src/cli/main.ts'), 'diff', golden, trace]),
    }));
    return {
      ...one,
      size: statSync(trace).size / megabyte,
      diff: best(both.map(({ diff }) => diff)),
      parse: best(both.map(({ parse }) => parse)),
    };
  });
  console.table(
    rows.map(({ name, size, diff, parse }) => ({
      case: name,
      'trace, MB': size.toFixed(2),
      'JSON.parse, s': parse.seconds.toFixed(2),
      'diff, s': diff.seconds.toFixed(2),
      'of JSON.parse': (diff.seconds / parse.seconds).toFixed(2),
      'diff, MB': Math.round(diff.megabytes),
      'JSON.parse, MB': Math.round(parse.megabytes),
    })),
  );
  for (const { name, goals, diff } of rows) {
    if (goals === undefined) continue;
    const { seconds, megabytes } = goals;
    goal(
      diff.seconds < seconds,
      `diff of a ${name} takes ${diff.seconds.toFixed(2)} s`,
      `less than ${seconds} s`,
    );
    goal(
      diff.megabytes < megabytes,
      `diff of a ${name} needs ${Math.round(diff.megabytes)} MB`,
      `less than ${megabytes} MB`,
    );
  }
  mkdirSync(join(repository, '.codex-parity'), { recursive: true });
  writeFileSync(join(repository, '.codex-parity/bench-diff.json'), JSON.stringify({ rows }, null, 2));
} finally {
  rmSync(work, { recursive: true });
}

function best(all: readonly Usage[]): Usage {
  return {
    seconds: Math.min(...all.map(({ seconds }) => seconds)),
    megabytes: Math.max(...all.map(({ megabytes }) => megabytes)),
  };
}

function measured(words: readonly string[]): Usage {
  const usage = join(work, 'usage');
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', join(import.meta.dirname, 'diff/usage.ts'), ...words],
    { env: { ...process.env, BENCH_USAGE: usage }, encoding: 'utf8' },
  );
  const seconds = (performance.now() - start) / 1000;
  // 1: there are findings, as with a live session.
  if (status !== 0 && status !== 1) throw new Error(`${words.join(' ')}: ${stdout.slice(0, 2000)}${stderr}`);
  return { seconds, megabytes: Number(readFileSync(usage, 'utf8')) / megabyte };
}
