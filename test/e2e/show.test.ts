import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createTrace } from '../../src/trace/trace.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { toNode } from '../../src/wire/json.ts';
import { temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const name = '0.171.0/fast';
const show = async (...args: readonly string[]) => (await runInProcess(['show', ...args])).stdout;

/** The JSON of each message that takes several lines, by its heading. */
function documents(listing: string): ReadonlyMap<string, unknown> {
  const parts = listing
    .trimEnd()
    .split('\n\n')
    .map((part) => part.split('\n'));
  const messages = parts.filter(
    ([heading = '', ...lines]) => / (?:message \d+|body)/.test(heading) && lines.length > 0,
  );
  return new Map(messages.map(([heading = '', ...lines]) => [heading, JSON.parse(lines.join('\n'))]));
}

it('prints the messages of the client as JSON, with long values folded', async () => {
  const folded = documents(await show(name)).get('exchange 1: client message 2 (compressed)');
  expect(folded).toMatchObject({
    model: 'gpt-6.2-sol',
    previous_response_id: 'resp_{{previous_response_id}}',
  });
  expect(folded).toHaveProperty('input.0.type', 'additional_tools');
  expect(folded).toHaveProperty('input.0.tools', [expect.stringMatching(/^… 3 items, \d+ characters$/)]);
  const full = documents(await show(name, '--full')).get('exchange 1: client message 2 (compressed)');
  expect(full).toHaveProperty('input.0.tools.0.name', 'functions');
  expect(full).toHaveProperty('input.0.tools.length', 3);
});

it('prints each message of the backend in one line of JSON', async () => {
  const lines = (await show(name)).split('\n').filter((line) => line.includes('backend message'));
  const first = lines[0]?.replace('exchange 1: backend message 1 (compressed): ', '') ?? '';
  expect(JSON.parse(first)).toMatchObject({
    type: 'response.created',
    response: { '…': expect.stringMatching(/^\d+ members, \d+ characters$/) },
  });
  expect(lines).toHaveLength(11);
});

it('prints only the exchanges and messages that are chosen', async () => {
  const one = await show(name, '--exchange', '1', '--message', '1');
  expect(one).toMatch(/^exchange 1: client message 1 \(compressed\)\n {2}\{\n {4}"type": "response.create",/);
  expect([...documents(one).keys()]).toHaveLength(1);
  const some = await show(name, '--from', 'backend', '--message', '1,3-4');
  expect(some.match(/^exchange 1: .*$/gm)).toEqual(
    [1, 3, 4].map((number) => `exchange 1: backend message ${number} (compressed)`),
  );
  const exchange = await show('0.171.0/http-fast', '--exchange', '2');
  expect(exchange).toMatch(/^connection 2 to /);
  expect(exchange).toContain('exchange 2: client body (DATA frames of up to 16384 bytes)\n');
  expect(exchange).not.toContain('exchange 1');
});

it('prints events as JSON', async () => {
  const events: unknown = JSON.parse(await show(name, '--message', '2', '--json'));
  expect(events).toMatchObject([
    { type: 'message', exchange: 1, from: 'client', json: { model: 'gpt-6.2-sol' } },
  ]);
  const all: { type: string }[] = JSON.parse(await show(name, '--json'));
  expect(all.slice(0, 4).map(({ type }) => type)).toEqual(['connection', 'request', 'response', 'message']);
});

it('numbers the exchanges of a trace as findings do, and prints side requests on demand', async () => {
  const file = join(temporaryFolder(), 'a.trace.jsonl');
  const trace = createTrace(file, { recorded: 'live' });
  const request = (exchange: number, target: string): TraceEvent[] => [
    { type: 'connection', connection: exchange, authority: 'chatgpt.com', tls: null },
    { type: 'request', connection: exchange, exchange, method: 'GET', target: toNode(target), headers: [] },
  ];
  for (const event of [...request(1, '/models'), ...request(2, '/codex/responses')]) trace.write(event);
  trace.finish();
  const { stdout, stderr } = await runInProcess(['show', file]);
  expect(stdout).toBe(
    'connection 1 to chatgpt.com (plain)\n\nexchange 1: GET /codex/responses on connection 1\n',
  );
  expect(stderr).toBe('1 side request left out: --all prints everything\n');
  const all = await runInProcess(['show', file, '--all']);
  expect(all.stdout).toContain('exchange 1: GET /models on connection 1');
  expect(all.stdout).toContain('exchange 2: GET /codex/responses on connection 2');
  expect(all.stderr).toBe('');
});

it('prints what a client chooses over HTTP/2', async () => {
  const file = join(temporaryFolder(), 'a.trace.jsonl');
  const trace = createTrace(file, { recorded: 'live' });
  const events: TraceEvent[] = [
    { type: 'connection', connection: 1, authority: 'chatgpt.com', tls: { offered: ['h2'], chosen: 'h2' } },
    {
      ...{ type: 'request', connection: 1, exchange: 1, method: 'POST', target: toNode('/codex/responses') },
      version: '2',
      http2: {
        settings: [
          ['ENABLE_PUSH', 0],
          ['MAX_FRAME_SIZE', 16384],
        ],
        window: 5177345,
        pseudo: [':method', ':scheme', ':authority', ':path'],
        authority: toNode('chatgpt.com'),
        priority: { exclusive: false, dependsOn: 0, weight: 16 },
      },
      headers: [['accept', toNode('*/*')]],
    },
    {
      ...{ type: 'body', exchange: 1, from: 'client', complete: true, largestFrame: 16384, endsEmpty: true },
      ...{ trailers: [['checksum', toNode('c')]], content: { kind: 'text', text: toNode('hi') } },
    },
    { type: 'reset', exchange: 1, from: 'client', code: 'CANCEL' },
    { type: 'goaway', connection: 1, from: 'client', code: 'NO_ERROR' },
  ];
  for (const event of events) trace.write(event);
  trace.finish();
  expect(await show(file, '--all')).toBe(
    [
      'connection 1 to chatgpt.com (TLS, ALPN offered: h2)\n',
      'exchange 1: POST /codex/responses on connection 1',
      '  HTTP/2 settings: ENABLE_PUSH=0, MAX_FRAME_SIZE=16384; window of the connection: +5177345',
      '  HTTP/2 pseudo-headers: :method, :scheme, :authority, :path; :authority is chatgpt.com',
      '  HTTP/2 priority: weight 16, on stream 0',
      '  accept: */*\n',
      'exchange 1: client body (DATA frames of up to 16384 bytes, an empty DATA frame at the end, trailers checksum): hi\n',
      'exchange 1: broken off by the client (CANCEL)\n',
      'connection 1: no more streams, says the client (NO_ERROR)\n',
    ].join('\n'),
  );
});

it.each([
  [['--exchange', 'one'], '--exchange "one" must be numbers from 1 on, such as 2, or 1,3-5'],
  [['--exchange', '3-1'], '--exchange "3-1" must be numbers from 1 on, such as 2, or 1,3-5'],
  [['--exchange', '7'], /has no exchange 7: choose 1$/],
  [['--message', '9'], /has no message 9 of the client: choose 1 to 2$/],
  [['--from', 'server'], /^--from "server" must be one of client, backend/],
  [['--all', '--exchange', '1'], /^use --all or --exchange, not both/],
] as const)('rejects %j in one line', async (args, problem) => {
  const { exitCode, stdout, stderr } = await runInProcess(['show', name, ...args]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  const [line = '', ...rest] = stderr.trim().split('\n');
  expect(line.replace('codex-parity: ', '')).toMatch(problem);
  expect(rest).toEqual([]);
});
