import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readGolden } from '../src/golden/file.ts';
import { writeMadeUp } from './diff/made-up.ts';
import { goal } from './goal.ts';

/**
 * `diff` of a made-up golden with a trace, against a program that reads and parses the lines of the same two files.
 * Both are programs of their own, measured from their start to their end, in turn, so that what else the machine does
 * slows both; of several runs the quickest counts, and the one that needed the most memory.
 */
const repository = join(import.meta.dirname, '..');
const megabyte = 1_000_000;
const runs = Number(process.env.BENCH_RUNS ?? 3);
/** Sizes of golden and trace together, in megabytes. The goals are set for those of `least` and more. */
const sizes = (process.env.BENCH_MEGABYTES ?? '50,200,400').split(',').map(Number);
const goals = { least: 200, time: 2, memory: 300 };

type Usage = { readonly seconds: number; readonly megabytes: number };
type Row = { readonly megabytes: number; readonly diff: Usage; readonly parse: Usage };

const work = mkdtempSync(join(tmpdir(), 'codex-parity-bench-'));
const [golden, trace] = [join(work, 'golden.jsonl'), join(work, 'trace.jsonl')];
try {
  const pattern = readGolden(join(repository, 'traces/0.169.0/chatgpt/tool-turn.golden.jsonl'));
  const rows = sizes.map((size): Row => {
    process.stderr.write(`${size} MB\n`);
    writeMadeUp(pattern, (size / 2) * megabyte, golden, trace);
    const megabytes = (statSync(golden).size + statSync(trace).size) / megabyte;
    const both = Array.from({ length: runs }, () => ({
      parse: measured([join(import.meta.dirname, 'diff/parse-lines.ts'), golden, trace]),
      diff: measured([join(repository, 'src/cli/main.ts'), 'diff', golden, trace]),
    }));
    return {
      megabytes,
      diff: best(both.map(({ diff }) => diff)),
      parse: best(both.map(({ parse }) => parse)),
    };
  });
  console.table(
    rows.map(({ megabytes, diff, parse }) => ({
      'golden and trace, MB': Math.round(megabytes),
      'JSON.parse, s': parse.seconds.toFixed(2),
      'diff, s': diff.seconds.toFixed(2),
      'of JSON.parse': (diff.seconds / parse.seconds).toFixed(2),
      'diff, MB': Math.round(diff.megabytes),
      'JSON.parse, MB': Math.round(parse.megabytes),
      'diff, ms/MB': ((diff.seconds * 1000) / megabytes).toFixed(1),
    })),
  );
  // The goals are for files that take longer than a start of the program does.
  for (const { megabytes, diff, parse } of rows.filter((row) => row.megabytes >= goals.least)) {
    const ratio = diff.seconds / parse.seconds;
    const size = `diff of ${Math.round(megabytes)} MB`;
    goal(
      ratio < goals.time,
      `${size} takes ${ratio.toFixed(2)} times what JSON.parse takes`,
      `less than ${goals.time}`,
    );
    goal(
      diff.megabytes < goals.memory,
      `${size} needs ${Math.round(diff.megabytes)} MB`,
      `less than ${goals.memory} MB`,
    );
  }
  mkdirSync(join(repository, '.codex-parity'), { recursive: true });
  writeFileSync(join(repository, '.codex-parity/bench-diff.json'), JSON.stringify({ goals, rows }, null, 2));
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
  if (status !== 0) throw new Error(`${words.join(' ')}: ${stdout.slice(0, 2000)}${stderr}`);
  return { seconds, megabytes: Number(readFileSync(usage, 'utf8')) / megabyte };
}
