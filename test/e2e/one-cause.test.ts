import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

/** The faults of message-proxy.ts, and the one finding that each must give. */
const faults: readonly [fault: string, finding: string][] = [
  ['answers the prewarm itself', 'client message 1: missing'],
  ['rewrites response ids', 'backend message 1 › response.id: changed'],
  ['removes response ids', 'backend message 1 › response.id: missing'],
  ['drops the connection within a response', 'backend message 7: missing'],
  ['closes both sides instead of forwarding the turn', 'client message 2: missing'],
  ['sends the prewarm twice', 'client message 2: added'],
];

async function check(fault: string): Promise<string> {
  const folder = temporaryFolder();
  const proxy = join(import.meta.dirname, 'message-proxy.ts');
  const command = [process.execPath, proxy, '{port}', '{upstream}', fault];
  writeFileSync(
    join(folder, 'codex-parity.config.json'),
    JSON.stringify({ subjects: { mine: { command } } }),
  );
  const selection = ['--codex', '0.169.0', '--scenario', 'second-turn'];
  const { stdout } = await runInProcess(
    ['check', '--verbose', '--subject', 'mine', '--goldens', join(repository, 'traces'), ...selection],
    { cwd: folder },
  );
  return stdout;
}

it('finds nothing in a proxy that forwards every message', async () => {
  expect(await check('none')).toMatch(/0\.169\.0 chatgpt {2}second-turn +ok +ok +ok/);
});

it.each(faults)('reports one finding for a proxy that %s', async (fault, finding) => {
  const stdout = await check(fault);
  expect(stdout.match(/^(?:breaks|identity|shape): .*$/gm)).toEqual([
    `breaks: 0.169.0 second-turn › exchange 1 › ${finding}`,
  ]);
});
