import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { ScriptedReply } from '../../src/backend/reply.ts';
import { backendWith, connect, post, prewarm, turn, typesOf } from './backend-client.ts';

const begun = ['response.created', 'response.in_progress'];
const firstWords = [
  ...begun,
  'response.output_item.added',
  'response.content_part.added',
  'response.output_text.delta',
];
const completeTypes = [
  ...firstWords,
  'response.output_text.done',
  'response.content_part.done',
  'response.output_item.done',
  'response.completed',
];
const error = { type: 'usage_limit_reached', message: 'No more', resets_at: 1_700_003_600 };
const errorText = JSON.stringify(error);

it('refuses a request with an error frame, and keeps the connection', async () => {
  const { backend } = await backendWith(
    { reply: 'error', status: 429, error: errorText },
    { reply: 'text', text: 'OK' },
  );
  const { send, received, request } = await connect(backend);

  send(turn);

  expect(await received(1)).toEqual([`{"type":"error","status":429,"error":${errorText}}`]);
  expect(await request(turn)).toContainEqual(expect.objectContaining({ delta: 'OK' }));
});

it('refuses a POST with the status and the error in its body', async () => {
  const { backend } = await backendWith({ reply: 'error', status: 429, error: errorText });

  const response = await post(backend, turn);

  expect(response).toMatchObject({ status: 429, complete: true });
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(response.bytes.toString('utf8')).toBe(`{"error":${errorText}}`);
});

it('sends the headers of an error in its frame, and over HTTP as headers', async () => {
  const reply: ScriptedReply = {
    reply: 'error',
    status: 429,
    error: errorText,
    headers: [['retry-after', '17']],
  };
  const { backend } = await backendWith(reply, reply);
  const { send, received } = await connect(backend);

  send(turn);

  expect(await received(1)).toEqual([
    `{"type":"error","status":429,"error":${errorText},"headers":{"retry-after":"17"}}`,
  ]);
  const response = await post(backend, turn);
  expect(response.headers.get('retry-after')).toBe('17');
  expect(response.bytes.toString('utf8')).toBe(`{"error":${errorText}}`);
});

const unfinished: readonly { name: string; reply: ScriptedReply; status: string; more: object }[] = [
  {
    name: 'a response that fails',
    reply: { reply: 'failed', error: '{"code":"server_is_overloaded","message":"Later"}' },
    status: 'failed',
    more: { error: { code: 'server_is_overloaded', message: 'Later' } },
  },
  {
    name: 'a response that ends incomplete',
    reply: { reply: 'incomplete', reason: 'max_output_tokens' },
    status: 'incomplete',
    more: { incomplete_details: { reason: 'max_output_tokens' } },
  },
];

it.each(unfinished)('sends $name over either transport', async ({ reply, status, more }) => {
  const { backend } = await backendWith(reply, reply);
  const { send, received } = await connect(backend);
  send(turn);

  const [messages, { datas, complete }] = [await received(3), await post(backend, turn)];

  expect(complete).toBe(true);
  for (const events of [messages, datas]) {
    expect(typesOf(events)).toEqual([...begun, `response.${status}`]);
    expect(JSON.parse(String(events.at(-1)))).toMatchObject({
      response: { status, output: [], ...more },
      sequence_number: 2,
    });
  }
});

it.each([1000, 1011])('closes after the first text delta with code %i', async (code) => {
  const { backend } = await backendWith({ reply: 'break', close: code });
  const { send, ended } = await connect(backend);

  send(turn);

  const end = await ended();
  expect(end.code).toBe(code);
  expect(typesOf(end.messages)).toEqual(firstWords);
});

it('ends the connection after the first text delta without a close message', async () => {
  const { backend } = await backendWith({ reply: 'break', close: null });
  const { send, ended } = await connect(backend);

  send(turn);

  const end = await ended();
  expect(end.code).toBe(1006);
  expect(typesOf(end.messages)).toEqual(firstWords);
});

it.each([null, 1011])('cuts the stream of a POST after the first text delta (close %s)', async (close) => {
  const { backend } = await backendWith({ reply: 'break', close });

  const { datas, complete } = await post(backend, turn);

  expect(typesOf(datas)).toEqual(firstWords);
  expect(complete).toBe(false);
});

it('ends the connection after a complete response', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK', close: 1001 });
  const { send, ended } = await connect(backend);

  send(turn);

  const end = await ended();
  expect(end.code).toBe(1001);
  expect(typesOf(end.messages)).toEqual(completeTypes);
});

it('cuts the stream of a POST after a complete response', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK', close: null });

  const { datas, complete } = await post(backend, turn);

  expect(typesOf(datas)).toEqual(completeTypes);
  expect(complete).toBe(false);
});

it('sends a binary message after the first text delta', async () => {
  const { backend } = await backendWith({ reply: 'binary' });
  const { send, received } = await connect(backend);

  send(turn);

  expect(typesOf(await received(6))).toEqual([...firstWords, Buffer.from([0xff, 0xfe, 0xfd])]);
});

it('sends bytes that are not text after the first text delta of a stream', async () => {
  const { backend } = await backendWith({ reply: 'binary' });
  const response = await fetch(`${backend.origin}/v1/responses`, {
    method: 'POST',
    body: JSON.stringify(turn),
  });
  const reader = response.body?.getReader();
  let received = Buffer.alloc(0);

  while (!received.includes(Buffer.from([0xff, 0xfe, 0xfd]))) {
    received = Buffer.concat([received, (await reader?.read())?.value ?? Buffer.alloc(0)]);
  }

  expect(received.indexOf(0xff)).toBeGreaterThan(received.indexOf('response.output_text.delta'));
  await reader?.cancel();
});

it('sends noise after the response has begun', async () => {
  const reply: ScriptedReply = {
    reply: 'text',
    text: 'OK',
    noise: ['not-json', 'unknown-event', 'rate-limits'],
  };
  const { backend } = await backendWith(reply, reply);
  const { send, received } = await connect(backend);
  send(turn);

  const [messages, { datas }] = [await received(12), await post(backend, turn)];

  const noise = ['this is not JSON', 'response.parity_unknown', 'codex.rate_limits'];
  for (const events of [messages, datas])
    expect(typesOf(events)).toEqual([...begun, ...noise, ...completeTypes.slice(2)]);
});

it('sends the turn state in an event before the response', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK', turnState: 'state-one' });
  const { send, received } = await connect(backend);

  send(turn);

  const messages = await received(10);
  expect(JSON.parse(String(messages[0]))).toEqual({
    type: 'response.metadata',
    headers: { 'x-codex-turn-state': 'state-one' },
  });
  expect(typesOf(messages.slice(1))).toEqual(completeTypes);
});

it('sends the turn state in a header of the response to a POST', async () => {
  const call = { call: 'command', command: 'printf one', output: 'one' } as const;
  const { backend } = await backendWith({
    reply: 'tool_calls',
    style: 'auto',
    calls: [call],
    turnState: 'state-one',
  });

  const { headers, datas } = await post(backend, turn);

  expect(headers.get('x-codex-turn-state')).toBe('state-one');
  expect(typesOf(datas)).not.toContain('response.metadata');
});

it('holds a response after its first text delta, and ends it when the client interrupts it', async () => {
  const { backend, events } = await backendWith(
    { reply: 'hold', text: 'Once upon' },
    { reply: 'text', text: 'OK' },
  );
  const { send, received, request } = await connect(backend);
  send(turn);
  const before = [...(await received(5))];
  await delay(50);
  expect(typesOf(await received(5))).toEqual(firstWords);

  send({ type: 'response.interrupt', response_id: 'resp_1', mode: 'discard_partial_items' });

  const rest = (await received(8)).slice(5).map((message) => JSON.parse(String(message)));
  const { response } = JSON.parse(String(before[0]));
  const { item } = JSON.parse(String(before[2]));
  expect(rest).toEqual([
    { type: 'response.interrupt.accepted', response_id: response.id, sequence_number: 5 },
    {
      type: 'response.output_item.interrupted',
      response_id: response.id,
      item_id: item.id,
      output_index: 0,
      sequence_number: 6,
    },
    expect.objectContaining({
      type: 'response.incomplete',
      response: expect.objectContaining({
        id: response.id,
        status: 'incomplete',
        incomplete_details: { reason: 'interrupted' },
        output: [],
      }),
      sequence_number: 7,
    }),
  ]);
  expect(events.map(({ type }) => type)).not.toContain('not-understood');
  expect(await request({ type: 'response.interrupt' })).toMatchObject([{ type: 'error', status: 400 }]);
  expect(await request(turn)).toContainEqual(expect.objectContaining({ delta: 'OK' }));
});

it('does not understand an interrupt when no response is on hold', async () => {
  const { backend, events } = await backendWith();
  const { request } = await connect(backend);
  await request(prewarm);

  expect(await request({ type: 'response.interrupt' })).toMatchObject([{ type: 'error', status: 400 }]);
  expect(events.at(-1)).toMatchObject({ type: 'not-understood', reason: 'type "response.interrupt"' });
});

it('keeps the stream of a POST open after the first text delta', async () => {
  const { backend } = await backendWith({ reply: 'hold', text: 'Once upon' });
  const response = await fetch(`${backend.origin}/v1/responses`, {
    method: 'POST',
    body: JSON.stringify(turn),
  });
  const reader = response.body?.getReader();

  let received = '';
  while (!received.endsWith('\n\n') || !received.includes('Once upon'))
    received += Buffer.from((await reader?.read())?.value ?? []).toString('utf8');

  const types = [...received.matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
  expect(types).toEqual(firstWords);
  const more = reader?.read().then(() => 'more');
  expect(await Promise.race([more, delay(50, 'nothing')])).toBe('nothing');
  await reader?.cancel();
});
