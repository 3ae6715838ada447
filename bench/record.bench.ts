import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { goal } from './goal.ts';

/**
 * Measures `record -- COMMAND` with an HTTPS server on this machine: the memory for a long response, the time for more
 * and more secrets, and whether recordings end. Each recording is a process of its own.
 */
const repository = join(import.meta.dirname, '..');
const programs = join(import.meta.dirname, 'record');
const goals = { megabytes: 250, growth: 1.5, runs: Number(process.env.BENCH_RUNS ?? 50) };
/** Ten times as many secrets should take ten times as long. */
const secrets = { few: 1_000, many: 10_000 };

type Usage = { readonly requests: number; readonly seconds: number; readonly megabytes: number };

const work = mkdtempSync(join(tmpdir(), 'codex-parity-bench-'));
const certificate = join(work, 'server.pem');
const server: ChildProcess = spawn(process.execPath, [join(programs, 'server.ts'), certificate], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  if (server.stdout === null) throw new Error('the server has no output');
  const [port] = await once(createInterface(server.stdout), 'line');
  const url = (query: string) => `https://localhost:${port}/responses?${query}`;
  const client = (query: string, times: number) => [
    ...[process.execPath, join(programs, 'client.ts')],
    ...[url(query), String(times)],
  ];

  const plain = await measured(client('bytes=1000', 1));
  const long = await measured(client('bytes=300000000', 1));
  const unsealed = await measured(client('secrets=0', secrets.many));
  const few = await measured(client('secrets=1', secrets.few));
  const many = await measured(client('secrets=1', secrets.many));
  const growth = many.seconds / few.seconds / (secrets.many / secrets.few);
  console.table({
    'a short response': plain,
    'a response of 300 MB': long,
    [`${secrets.many} responses`]: unsealed,
    [`${secrets.few} responses, each with a new cookie`]: few,
    [`${secrets.many} responses, each with a new cookie`]: many,
  });
  const megabytes = Math.round(long.megabytes);
  goal(
    megabytes < goals.megabytes,
    `a response of 300 MB needs ${megabytes} MB, ${(long.megabytes / plain.megabytes).toFixed(1)} times as much as a short one`,
    `less than ${goals.megabytes} MB`,
  );
  goal(
    growth < goals.growth,
    `a new cookie takes ${growth.toFixed(2)} times as long after ${secrets.many} as after ${secrets.few}`,
    `less than ${goals.growth} times`,
  );

  let ended = 0;
  const cut = `curl --silent --output /dev/null --cacert "$CODEX_CA_CERTIFICATE" "${url('bytes=20000000')}"`;
  for (let run = 0; run < goals.runs; run += 1) {
    await measured(['sh', '-c', cut]).then(
      () => (ended += 1),
      () => {},
    );
  }
  goal(ended === goals.runs, `${ended} of ${goals.runs} recordings of curl end`, `${goals.runs}`);
  mkdirSync(join(repository, '.codex-parity'), { recursive: true });
  writeFileSync(
    join(repository, '.codex-parity/bench-record.json'),
    JSON.stringify({ plain, long, unsealed, few, many, growth, ended, runs: goals.runs }, null, 2),
  );
} finally {
  server.kill();
  rmSync(work, { recursive: true });
}

/** Records a command. Rejects if the recording fails, or does not end within five minutes. */
async function measured(command: readonly string[]): Promise<Usage> {
  const [trace, usage] = [join(work, 'live.trace.jsonl'), join(work, 'usage.json')];
  rmSync(trace, { force: true });
  await promisify(execFile)(process.execPath, [join(programs, 'record.ts'), usage, trace, ...command], {
    timeout: 300_000,
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: certificate,
      NODE_USE_ENV_PROXY: '1',
      XDG_STATE_HOME: work,
    },
  });
  return JSON.parse(readFileSync(usage, 'utf8'));
}
