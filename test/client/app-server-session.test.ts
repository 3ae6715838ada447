import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { playSteps } from '../../src/client/official/app-server-session.ts';
import type { TaskStep } from '../../src/client/official/task.ts';
import { temporaryFolder } from './temporary-folder.ts';

/**
 * A client in one file. It prints each message that it receives on standard error, and its prompt says what a turn does.
 * A turn with the prompt "wait" sends a text delta, and ends when it is steered or interrupted.
 */
const standIn = `
  const thread = 'thread-1';
  let begun = false;
  const send = (message) => process.stdout.write(JSON.stringify(message) + '\\n');
  const notify = (method, params) => send({ method, params: { threadId: thread, ...params } });
  const end = (status, error) => notify('turn/completed', { turn: { id: 'turn-1', status, error } });
  const complete = (text) => {
    notify('item/completed', { item: { type: 'agentMessage', text } });
    end('completed');
  };
  const turns = {
    wait: () => setTimeout(() => {
      begun = true;
      notify('item/agentMessage/delta', { delta: 'w' });
    }, 100),
    fail: () => end('failed', { message: 'no more tokens' }),
    die: () => process.exit(0),
    ask: () => send({ id: 'a-1', method: 'execCommandApproval', params: {} }),
    hang: () => {},
  };
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, params, error } = JSON.parse(line);
    console.error(line);
    if (error !== undefined) return complete('declined');
    if (id === undefined) return;
    if (params.target?.instructions === 'refuse') return send({ id, error: { code: -1, message: 'not today' } });
    send({ id, result: { thread: { id: thread }, turn: { id: 'turn-1' } } });
    // For another thread, which no step waits for.
    send({ method: 'turn/completed', params: { threadId: 'thread-2', turn: { status: 'failed' } } });
    const prompt = params.input?.[0].text;
    if (method === 'turn/start') (turns[prompt] ?? (() => complete('reply to ' + prompt)))();
    if (method === 'turn/steer') complete(begun ? 'steered' : 'steered too early');
    if (method === 'turn/interrupt') end(begun ? 'interrupted' : 'completed');
    if (method === 'review/start' || method === 'thread/compact/start') complete('done');
  });
`;

async function play(steps: readonly TaskStep[], timeoutMs = 20_000) {
  const cwd = await temporaryFolder();
  const program = join(cwd, 'codex.cjs');
  await writeFile(program, standIn);
  const command = [process.execPath, program];
  const run = await playSteps({ command, version: '1.2.3', cwd, env: {}, timeoutMs, steps });
  const lines = run.stderr.trim().split('\n');
  const received = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  return { ...run, received, last: lines.at(-1), methods: received.map(({ method }) => method) };
}

const turn = (prompt: string): TaskStep => ({ do: 'turn', prompt });

it('calls itself what the terminal interface calls itself', async () => {
  const { received } = await play([turn('hello')]);

  const { params } = received.find(({ method }) => method === 'initialize');
  expect(params).toEqual({ clientInfo: { name: 'codex-tui', title: null, version: '1.2.3' } });
});

it('starts a thread as codex exec does, and plays its steps in order', async () => {
  const steps: TaskStep[] = [turn('one'), { do: 'compact' }, { do: 'review', instructions: 'Look' }];
  const { received, methods, exitCode, stdout } = await play(steps);

  expect(methods).toEqual([
    ...['initialize', 'initialized', 'thread/start', 'turn/start', 'thread/compact/start', 'review/start'],
  ]);
  expect(received[2].params).toMatchObject({ approvalPolicy: 'never', sandbox: 'read-only' });
  expect(received[3].params).toEqual({
    threadId: 'thread-1',
    input: [{ type: 'text', text: 'one', text_elements: [] }],
  });
  expect(received[5].params).toEqual({
    threadId: 'thread-1',
    target: { type: 'custom', instructions: 'Look' },
  });
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'done' });
});

it('sets model, effort and tier with the turn that changes them', async () => {
  const { received } = await play([
    { do: 'turn', prompt: 'one', model: 'gpt-x', effort: 'high', tier: 'fast' },
  ]);

  expect(received[3].params).toMatchObject({ model: 'gpt-x', effort: 'high', serviceTier: 'fast' });
});

it('steers a turn after its first text delta', async () => {
  const { received, stdout } = await play([{ do: 'turn', prompt: 'wait', during: { steer: 'More' } }]);

  expect(received[4]).toMatchObject({
    method: 'turn/steer',
    params: { threadId: 'thread-1', expectedTurnId: 'turn-1', input: [{ text: 'More' }] },
  });
  expect(stdout).toBe('steered');
});

it('interrupts a turn, and continues with the next', async () => {
  const { received, methods, exitCode } = await play([
    { do: 'turn', prompt: 'wait', during: 'interrupt' },
    turn('two'),
  ]);

  expect(methods.slice(3)).toEqual(['turn/start', 'turn/interrupt', 'turn/start']);
  expect(received[4].params).toEqual({ threadId: 'thread-1', turnId: 'turn-1' });
  expect(exitCode).toBe(0);
});

it('resumes its thread in a new process', async () => {
  const { received, methods, stdout } = await play([turn('one'), { do: 'resume' }, turn('two')]);

  // The output is that of the last process.
  expect(methods).toEqual(['initialize', 'initialized', 'thread/resume', 'turn/start']);
  expect(received[2].params).toMatchObject({ threadId: 'thread-1', sandbox: 'read-only' });
  expect(stdout).toBe('reply to two');
});

it('stops at a failed turn, and reports why', async () => {
  const { methods, exitCode, last } = await play([turn('fail'), turn('two')]);

  expect({ exitCode, last }).toEqual({ exitCode: 1, last: 'no more tokens' });
  expect(methods.filter((method) => method === 'turn/start')).toHaveLength(1);
});

it('does not resume a thread after a failed turn', async () => {
  const { exitCode, last } = await play([turn('fail'), { do: 'resume' }, turn('two')]);

  expect({ exitCode, last }).toEqual({ exitCode: 1, last: 'no more tokens' });
});

it('fails when a turn ends before its interrupt', async () => {
  const { exitCode } = await play([{ do: 'turn', prompt: 'one', during: 'interrupt' }]);

  expect(exitCode).toBe(1);
});

it('fails when the client ends before its steps', async () => {
  const { exitCode, last } = await play([turn('die'), turn('two')]);

  expect({ exitCode, last }).toEqual({ exitCode: 1, last: 'the client ended before its steps' });
});

it('declines requests of the client', async () => {
  const { received, stdout } = await play([turn('ask')]);

  expect(received.at(-1)).toMatchObject({ id: 'a-1', error: { code: -32601 } });
  expect(stdout).toBe('declined');
});

it('rejects with the reason of the client when it refuses a step', async () => {
  await expect(play([turn('one'), { do: 'review', instructions: 'refuse' }])).rejects.toMatchObject({
    code: 'client-failed',
    message: 'the client refused review/start: not today',
  });
});

it('kills the client when its steps take too long together', async () => {
  expect((await play([turn('one'), { do: 'resume' }, turn('hang')], 3_000)).ended).toBe('timeout');
});
