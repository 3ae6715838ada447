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
const whole = [
  ...firstWords,
  'response.output_text.done',
  'response.content_part.done',
  'response.output_item.done',
  'response.completed',
];
const error = { type: 'usage_limit_reached', message: 'No more', resets_at: 1_700_003_600 };
const said = JSON.stringify(error);

it('refuses a request with an error frame, and keeps the connection', async () => {
  const { backend } = await backendWith(
    { reply: 'error', status: 429, error: said },
    { reply: 'text', text: 'OK' },
  );
  const { say, heard, ask } = await connect(backend);

  say(turn);

  expect(await heard(1)).toEqual([`{"type":"error","status":429,"error":${said}}`]);
  expect(await ask(turn)).toContainEqual(expect.objectContaining({ delta: 'OK' }));
});

it('refuses a POST with the status and the error in its body', async () => {
  const { backend } = await backendWith({ reply: 'error', status: 429, error: said });

  const answered = await post(backend, turn);

  expect(answered).toMatchObject({ status: 429, complete: true });
  expect(answered.headers.get('content-type')).toBe('application/json');
  expect(answered.bytes.toString('utf8')).toBe(`{"error":${said}}`);
});

it('tells what else there is to an error in the frame, and over HTTP in headers', async () => {
  const reply: ScriptedReply = { reply: 'error', status: 429, error: said, headers: [['retry-after', '17']] };
  const { backend } = await backendWith(reply, reply);
  const { say, heard } = await connect(backend);

  say(turn);

  expect(await heard(1)).toEqual([
    `{"type":"error","status":429,"error":${said},"headers":{"retry-after":"17"}}`,
  ]);
  const answered = await post(backend, turn);
  expect(answered.headers.get('retry-after')).toBe('17');
  expect(answered.bytes.toString('utf8')).toBe(`{"error":${said}}`);
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

it.each(unfinished)('tells $name, over either transport', async ({ reply, status, more }) => {
  const { backend } = await backendWith(reply, reply);
  const { say, heard } = await connect(backend);
  say(turn);

  const [messages, { datas, complete }] = [await heard(3), await post(backend, turn)];

  expect(complete).toBe(true);
  for (const events of [messages, datas]) {
    expect(typesOf(events)).toEqual([...begun, `response.${status}`]);
    expect(JSON.parse(String(events.at(-1)))).toMatchObject({
      response: { status, output: [], ...more },
      sequence_number: 2,
    });
  }
});

it.each([1000, 1011])('breaks off after the first words with the close code %i', async (code) => {
  const { backend } = await backendWith({ reply: 'break', close: code });
  const { say, ended } = await connect(backend);

  say(turn);

  const end = await ended();
  expect(end.code).toBe(code);
  expect(typesOf(end.messages)).toEqual(firstWords);
});

it('breaks off after the first words without a close message', async () => {
  const { backend } = await backendWith({ reply: 'break', close: null });
  const { say, ended } = await connect(backend);

  say(turn);

  const end = await ended();
  expect(end.code).toBe(1006);
  expect(typesOf(end.messages)).toEqual(firstWords);
});

it.each([null, 1011])('cuts the stream of a POST after the first words (close %s)', async (close) => {
  const { backend } = await backendWith({ reply: 'break', close });

  const { datas, complete } = await post(backend, turn);

  expect(typesOf(datas)).toEqual(firstWords);
  expect(complete).toBe(false);
});

it('ends the connection after a whole reply', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK', close: 1001 });
  const { say, ended } = await connect(backend);

  say(turn);

  const end = await ended();
  expect(end.code).toBe(1001);
  expect(typesOf(end.messages)).toEqual(whole);
});

it('cuts the stream of a POST after a whole reply', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK', close: null });

  const { datas, complete } = await post(backend, turn);

  expect(typesOf(datas)).toEqual(whole);
  expect(complete).toBe(false);
});

it('sends a binary message after the first words', async () => {
  const { backend } = await backendWith({ reply: 'binary' });
  const { say, heard } = await connect(backend);

  say(turn);

  expect(typesOf(await heard(6))).toEqual([...firstWords, Buffer.from([0xff, 0xfe, 0xfd])]);
});

it('sends bytes that are no text after the first words of a stream', async () => {
  const { backend } = await backendWith({ reply: 'binary' });
  const response = await fetch(`${backend.origin}/v1/responses`, {
    method: 'POST',
    body: JSON.stringify(turn),
  });
  const reader = response.body?.getReader();
  let heard = Buffer.alloc(0);

  while (!heard.includes(Buffer.from([0xff, 0xfe, 0xfd]))) {
    heard = Buffer.concat([heard, (await reader?.read())?.value ?? Buffer.alloc(0)]);
  }

  expect(heard.indexOf(0xff)).toBeGreaterThan(heard.indexOf('response.output_text.delta'));
  await reader?.cancel();
});

it('says things to pass over once the response has begun', async () => {
  const reply: ScriptedReply = {
    reply: 'text',
    text: 'OK',
    noise: ['not-json', 'unknown-event', 'rate-limits'],
  };
  const { backend } = await backendWith(reply, reply);
  const { say, heard } = await connect(backend);
  say(turn);

  const [messages, { datas }] = [await heard(12), await post(backend, turn)];

  const noise = ['this is not JSON', 'response.parity_unknown', 'codex.rate_limits'];
  for (const events of [messages, datas])
    expect(typesOf(events)).toEqual([...begun, ...noise, ...whole.slice(2)]);
});

it('gives the turn state in an event before the response', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK', turnState: 'state-one' });
  const { say, heard } = await connect(backend);

  say(turn);

  const messages = await heard(10);
  expect(JSON.parse(String(messages[0]))).toEqual({
    type: 'response.metadata',
    headers: { 'x-codex-turn-state': 'state-one' },
  });
  expect(typesOf(messages.slice(1))).toEqual(whole);
});

it('gives the turn state in a header of the response to a POST', async () => {
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

it('holds a response back after its first words, and ends it when the client interrupts it', async () => {
  const { backend, events } = await backendWith(
    { reply: 'hold', text: 'Once upon' },
    { reply: 'text', text: 'OK' },
  );
  const { say, heard, ask } = await connect(backend);
  say(turn);
  const before = [...(await heard(5))];
  await delay(50);
  expect(typesOf(await heard(5))).toEqual(firstWords);

  say({ type: 'response.interrupt', response_id: 'resp_1', mode: 'discard_partial_items' });

  const rest = (await heard(8)).slice(5).map((message) => JSON.parse(String(message)));
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
  expect(await ask({ type: 'response.interrupt' })).toMatchObject([{ type: 'error', status: 400 }]);
  expect(await ask(turn)).toContainEqual(expect.objectContaining({ delta: 'OK' }));
});

it('does not understand an interrupt when no response is held back', async () => {
  const { backend, events } = await backendWith();
  const { ask } = await connect(backend);
  await ask(prewarm);

  expect(await ask({ type: 'response.interrupt' })).toMatchObject([{ type: 'error', status: 400 }]);
  expect(events.at(-1)).toMatchObject({ type: 'not-understood', reason: 'type "response.interrupt"' });
});

it('holds the stream of a POST open after the first words', async () => {
  const { backend } = await backendWith({ reply: 'hold', text: 'Once upon' });
  const response = await fetch(`${backend.origin}/v1/responses`, {
    method: 'POST',
    body: JSON.stringify(turn),
  });
  const reader = response.body?.getReader();

  let heard = '';
  while (!heard.endsWith('\n\n') || !heard.includes('Once upon'))
    heard += Buffer.from((await reader?.read())?.value ?? []).toString('utf8');

  const types = [...heard.matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
  expect(types).toEqual(firstWords);
  const more = reader?.read().then(() => 'more');
  expect(await Promise.race([more, delay(50, 'nothing')])).toBe('nothing');
  await reader?.cancel();
});
