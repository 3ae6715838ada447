import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { hello, proxyTo, startTestBackend, user } from './setup.ts';

const session = '01a20000-0000-7000-8000-000000000001';
const official = { originator: 'codex_exec', 'x-codex-turn-metadata': '{}', 'session-id': session };

/** Headers that are compared with the golden's patterns, or kept for the session. */
const names = ['user-agent', 'x-codex-turn-metadata', 'x-codex-window-id', 'session-id', 'thread-id'];

/** Texts that are hard to divide: by the literals of the golden's user agent, by JSON, by digits. */
const units = ['x', '(', '; ', ' (a; b) ', '0', '"{', 'codex_exec/0.169.0 (', '00000000-'];

/** What stands around a text: nothing, or the first and last literals of the golden's user agent, as its pattern requires. */
const frames = [
  ['', ''],
  ['codex_exec/0.169.0 (', ' (codex_exec; 0.169.0)'],
] as const;

/** Milliseconds by which a request may delay another. */
const longestDelay = 50;

/** Attempts at one value: the first ones may compile code or collect garbage of others. */
const attempts = 5;

/**
 * Returns the milliseconds of CPU time that a request takes in this thread: of the proxy, and of client and backend too. The
 * proxy can stand still for no longer. Unlike the time that passes, it does not depend on what else the machine does.
 */
async function cpuTime(request: () => Promise<unknown>): Promise<number> {
  const before = process.threadCpuUsage();
  await request();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/** Posts a request. Unlike fetch, this takes little time for long headers. */
async function post(url: string, body: string, headers: Record<string, string>): Promise<string> {
  const sent = request(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers } });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return textOf(response);
}

/** Returns the least CPU time of several requests, and stops at the first that is short enough. */
async function leastCpuTime(request: () => Promise<unknown>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < attempts && least >= longestDelay; n += 1)
    least = Math.min(least, await cpuTime(request));
  return least;
}

it.each(names)('delays no other request by a long %s', async (name) => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const send = (headers: Record<string, string>) =>
    post(`${proxy}/v1/responses`, JSON.stringify(hello), headers);
  await send(official);
  for (const unit of units) {
    for (const length of [4000, 60_000, 240_000]) {
      const text = unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
      for (const [start, end] of frames) {
        const value = start + text + end;
        const time = await leastCpuTime(() => send({ ...official, [name]: value }));
        expect(time, `${start}${unit} ${length}`).toBeLessThan(longestDelay);
      }
    }
  }
});

const members = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`m${n}`, 'x']));
const item = user('hello');
const items = Array(20_000).fill(item);
const many = members(100_000);

it.each<[string, object, space?: string]>([
  ['a model that is too long for headers', { model: '\n'.repeat(3_000_000) }],
  ['turn metadata that is too long for headers', { client_metadata: { turn_id: '"'.repeat(1_500_000) } }],
  ['many members', many],
  ['client metadata of many members', { client_metadata: many }],
  ['white space', { input: items }, ' '],
  ['system messages', { input: items.map(() => ({ ...item, role: 'system' })) }],
  ['references to items', { input: items.map(() => ({ type: 'item_reference', id: 'x' })) }],
  ['stop sequences', { stop: Array(500_000).fill('x') }],
])('delays no other request for long by %s', async (_, body, space) => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const text = JSON.stringify(
    { ...hello, messages: [{ role: 'user', content: 'hello' }], ...body },
    null,
    space,
  );
  for (const [path, headers] of [
    ['responses', official],
    ['responses', {}],
    ['chat/completions', {}],
  ] as const) {
    const send = (request: string) => post(`${proxy}/v1/${path}`, request, headers);
    await send(JSON.stringify(hello));
    expect(await cpuTime(() => send(text)), path).toBeLessThan(1000);
  }
});
