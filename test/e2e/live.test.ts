import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cli, repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

it('runs a command through the tap, keeps its exit code, and writes a trace for diff', async () => {
  const folder = temporaryFolder();
  const script =
    'console.log(process.env.HTTPS_PROXY, process.env.CODEX_CA_CERTIFICATE, ...process.argv.slice(1)); process.exitCode = 5';
  // Words that look like numbers must not be rewritten.
  const command = [process.execPath, '-e', script, '0x10', '007'];
  const recorded = await cli(['record', '--out', 'live.trace.jsonl', '--', ...command], { cwd: folder });
  expect(recorded.stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+ .*ca\.pem 0x10 007$/m);
  expect(recorded.stderr).toContain('wrote live.trace.jsonl');
  expect(recorded.exitCode).toBe(5);
  expect(readFileSync(join(folder, 'live.trace.jsonl'), 'utf8')).toBe(
    '{"format":"codex-parity/trace","version":1,"recorded":"live"}\n{"type":"finished"}\n',
  );

  const golden = join(repository, 'traces', '0.169.0', 'chatgpt', 'fast.golden.jsonl');
  const compared = await runInProcess(['diff', golden, 'live.trace.jsonl'], { cwd: folder });
  expect(compared.stdout).toContain(
    'exchange 1 › request: missing\n  expected GET /backend-api/codex/responses',
  );
  expect(compared.exitCode).toBe(1);
});

it('ends with the exit code of a command that a signal ended', async () => {
  const command = ['record', '--', process.execPath, '-e', 'process.kill(process.pid, "SIGKILL")'];
  expect((await cli(command, { cwd: temporaryFolder() })).exitCode).toBe(128 + 9);
});

it('leaves no trace file if the command cannot be run', async () => {
  const folder = temporaryFolder();
  const recorded = await cli(['record', '--out', 'live.trace.jsonl', '--', 'no-such-program'], {
    cwd: folder,
  });
  expect(recorded.stderr).toBe('codex-parity: cannot run no-such-program: program not found\n');
  expect(recorded.exitCode).toBe(2);
  expect(readdirSync(folder)).toEqual([]);
});

it('never overwrites a trace', async () => {
  const folder = temporaryFolder();
  const command = ['record', '--out', 'live.trace.jsonl', '--', process.execPath, '-e', '0'];
  await cli(command, { cwd: folder });
  const again = await cli(command, { cwd: folder });
  expect(again.stderr).toContain('live.trace.jsonl exists already');
  expect(again.exitCode).toBe(2);
});
