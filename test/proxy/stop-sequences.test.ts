import fc from 'fast-check';
import { expect, it } from 'vitest';
import { stopAt } from '../../src/proxy/sessions/stop-sequences.ts';
import {
  hello,
  openWebSocket,
  post,
  proxyTo,
  readEvents,
  receiveResponse,
  sendAll,
  startTestBackend,
} from './setup.ts';

type Json = Readonly<Record<string, unknown>>;

const messageOf = (text: string, status = 'completed') => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status,
  content: [{ type: 'output_text', text, annotations: [] }],
});
const call = {
  id: 'fc_1',
  type: 'function_call',
  call_id: 'c',
  name: 'f',
  arguments: 'END',
  status: 'completed',
};
const reasoning = { id: 'rs_1', type: 'reasoning', summary: [{ type: 'summary_text', text: 'END' }] };

const numbered = (events: readonly Json[]) =>
  events.map((event, sequence_number) => JSON.stringify({ ...event, sequence_number }));

/** A response whose message arrives in these pieces, with other items around it. */
function responseIn(pieces: readonly string[], ending: Json = { status: 'completed' }): string[] {
  const text = pieces.join('');
  const place = { item_id: 'msg_1', output_index: 1, content_index: 0 };
  const response = { id: 'resp_1', object: 'response', model: 'm', output: [], incomplete_details: null };
  return numbered([
    { type: 'response.created', response },
    { type: 'response.output_item.added', output_index: 0, item: reasoning },
    { type: 'response.reasoning_summary_text.delta', output_index: 0, summary_index: 0, delta: 'END' },
    { type: 'response.output_item.done', output_index: 0, item: reasoning },
    { type: 'response.output_item.added', output_index: 1, item: messageOf('') },
    ...pieces.map((delta) => ({ type: 'response.output_text.delta', ...place, delta })),
    { type: 'response.output_text.done', ...place, text },
    { type: 'response.content_part.done', ...place, part: messageOf(text).content[0] },
    { type: 'response.output_item.done', output_index: 1, item: messageOf(text) },
    { type: 'response.output_item.added', output_index: 2, item: { ...call, arguments: '' } },
    { type: 'response.function_call_arguments.delta', output_index: 2, delta: 'END' },
    { type: 'response.output_item.done', output_index: 2, item: call },
    {
      type: `response.${ending.status}`,
      response: { ...response, ...ending, output: [reasoning, messageOf(text), call] },
    },
  ]);
}

const parse = (text: string) => JSON.parse(text);

/** The events that a client receives of a response. */
function received(events: readonly string[], stop: readonly string[]): string[] {
  const sent: string[] = [];
  const { handlers } = stopAt(stop, { onEvent: (_, text) => void sent.push(text) });
  for (const event of events) handlers.onEvent(parse(event).type, event);
  return sent;
}

/** The text at each place of a response that has it. */
function textsOf(events: readonly string[]): string[] {
  const parsed = events.map(parse);
  const deltas = parsed.filter(({ type }) => type === 'response.output_text.delta');
  const last = parsed.at(-1).response.output;
  return [
    deltas.map(({ delta }) => delta).join(''),
    parsed.find(({ type }) => type === 'response.output_text.done').text,
    parsed.find(({ type }) => type === 'response.content_part.done').part.text,
    parsed.find(({ type, output_index }) => type === 'response.output_item.done' && output_index === 1).item
      .content[0].text,
    last[1].content[0].text,
  ];
}

/** The text before the stop sequence that ends first, and undefined if there is none. */
function expectedText(text: string, stop: readonly string[]): string | undefined {
  for (let end = 1; end <= text.length; end += 1) {
    const found = stop.filter((sequence) => text.slice(0, end).endsWith(sequence));
    if (found.length > 0) return text.slice(0, end - Math.max(...found.map(({ length }) => length)));
  }
  return undefined;
}

it('ends the text before the first stop sequence, however it is split', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'é'), maxLength: 5 });
  const stops = fc.array(letters.filter(Boolean), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(letters, { minLength: 1, maxLength: 10 }), stops, (pieces, stop) => {
      const events = received(responseIn(pieces), stop);
      const text = pieces.join('');
      const expected = expectedText(text, stop);
      expect(new Set(textsOf(events))).toEqual(new Set([expected ?? text]));
      expect(events.map((event) => parse(event).sequence_number)).toEqual(events.map((_, index) => index));
      expect(parse(events.at(-1) ?? '').response.output).toHaveLength(expected === undefined ? 3 : 2);
    }),
  );
});

it('changes only numbers and deltas of a response without a stop sequence', () => {
  const events = responseIn(['one ', 'E', 'N', 'E', 'two']);
  const others = (texts: readonly string[]) =>
    texts
      .map(parse)
      .filter(({ type }) => type !== 'response.output_text.delta')
      .map(({ sequence_number, ...event }) => event);
  const sent = received(events, ['END']);
  expect(others(sent)).toEqual(others(events));
  expect(textsOf(sent)[0]).toBe('one ENEtwo');
});

it('sends text at once that cannot be the beginning of a stop sequence', () => {
  const sent: string[] = [];
  const { handlers } = stopAt(['END'], { onEvent: (_, text) => void sent.push(text) });
  const [created = '', ...others] = responseIn(['all of this E', 'ND']);
  for (const event of [created, ...others.slice(0, 5)]) handlers.onEvent('', event);
  expect(parse(sent.at(-1) ?? '').delta).toBe('all of this ');
});

it.each([
  { what: 'deltas', omitted: /delta/ },
  { what: 'deltas and parts', omitted: /delta|text\.done|part\.done/ },
  { what: 'events of items', omitted: /delta|text\.done|part\.done|item/ },
])('ends a response without $what', ({ omitted }) => {
  const events = responseIn(['one END', ' two']).filter((event) => !omitted.test(parse(event).type));
  const { type, response } = parse(received(events, ['END']).at(-1) ?? '');
  expect({ type, output: response.output }).toEqual({
    type: 'response.completed',
    output: [reasoning, messageOf('one ')],
  });
});

it('removes the annotations of what is cut off', () => {
  const annotations = [4, 12].map((end_index) => ({ type: 'url_citation', url: 'u', end_index }));
  const item = {
    ...messageOf(''),
    content: [{ type: 'output_text', text: 'one END two', annotations }],
  };
  const [done = ''] = received(
    [JSON.stringify({ type: 'response.output_item.done', output_index: 0, item })],
    ['END'],
  );
  expect(parse(done).item.content[0].annotations).toEqual(annotations.slice(0, 1));
});

it.each([
  { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } },
  { status: 'incomplete', incomplete_details: { reason: 'content_filter' } },
])('is complete when it stopped before its end as %j', (ending) => {
  const last = parse(received(responseIn(['one END'], ending), ['END']).at(-1) ?? '');
  expect(last).toMatchObject({
    type: 'response.completed',
    response: { status: 'completed', incomplete_details: null },
  });
  const whole = parse(received(responseIn(['one'], ending), ['END']).at(-1) ?? '');
  expect(whole).toMatchObject({ type: 'response.incomplete', response: ending });
});

/** Sends a request with `stop`. Returns the text of the message and why it ended, as the client receives them. */
type Surface = (proxy: string, stop: unknown) => Promise<{ text: string; ending: string; items: number }>;

const outcomeOf = (response: Json & { output: Json[] }) => ({
  text: parse(JSON.stringify(response.output)).find(({ type }: Json) => type === 'message').content[0].text,
  ending: String(response.status),
  items: response.output.length,
});

const chat = { model: 'm', messages: [{ role: 'user', content: 'hello' }] };

const surfaces: readonly (readonly [string, Surface])[] = [
  [
    'a streamed chat completion',
    async (proxy, stop) => {
      const response = await post(`${proxy}/v1/chat/completions`, { ...chat, stop, stream: true });
      expect(response.headers.get('x-codex-parity-dropped')).toBeNull();
      const chunks = (await readEvents(response)).slice(0, -1).map(parse);
      const choices = chunks.map(({ choices: [choice] }) => choice);
      const calls = choices.filter(({ delta }) => delta.tool_calls !== undefined);
      return {
        text: choices.map(({ delta }) => delta.content ?? '').join(''),
        ending: choices.at(-1).finish_reason,
        items: 2 + calls.length,
      };
    },
  ],
  [
    'a whole chat completion',
    async (proxy, stop) => {
      const response = await post(`${proxy}/v1/chat/completions`, { ...chat, stop });
      const [choice] = parse(await response.text()).choices;
      const { content, tool_calls = [] } = choice.message;
      return { text: content, ending: choice.finish_reason, items: 2 + tool_calls.length };
    },
  ],
  [
    'a streamed response',
    async (proxy, stop) => {
      const events = await readEvents(await post(`${proxy}/v1/responses`, { ...hello, stop }));
      expect(new Set(textsOf(events)).size).toBe(1);
      return outcomeOf(parse(events.at(-1) ?? '').response);
    },
  ],
  [
    'a whole response',
    async (proxy, stop) => {
      const response = await post(`${proxy}/v1/responses`, { ...hello, stream: false, stop });
      return outcomeOf(parse(await response.text()));
    },
  ],
  [
    'a websocket',
    async (proxy, stop) => {
      const client = await openWebSocket(`${proxy}/v1/responses`);
      client.send(JSON.stringify({ type: 'response.create', ...hello, stop }));
      return outcomeOf(parse((await receiveResponse(client)).at(-1) ?? '').response);
    },
  ],
];

const pieces = ['one E', 'N', 'D two ', 'STOP'];

it.each(surfaces)('ends %s at a stop sequence', async (name, surface) => {
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, responseIn(pieces)) });
  const proxy = await proxyTo(backend.url);
  const ending = name.includes('chat') ? 'stop' : 'completed';
  expect(await surface(proxy, 'END')).toEqual({ text: 'one ', ending, items: 2 });
  expect(await surface(proxy, ['x', 'STOP', ''])).toEqual({ text: 'one END two ', ending, items: 2 });
  expect(backend.turns().filter((turn) => 'stop' in turn)).toEqual([]);
  for (const none of [null, [], '', 'never']) {
    expect((await surface(proxy, none)).text).toBe(pieces.join(''));
  }
});

it.each([5, true, {}, ['a', 'b', 'c', 'd', 'e'], [1], 'x'.repeat(1025)])('refuses stop: %j', async (stop) => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  for (const [path, request] of [
    ['responses', hello],
    ['chat/completions', chat],
  ] as const) {
    const response = await post(`${proxy}/v1/${path}`, { ...request, stop });
    expect(response.status).toBe(400);
    expect(parse(await response.text()).error).toMatchObject({ param: 'stop', code: 'invalid_value' });
  }
});

it('searches again from the start when a response is retried', async () => {
  let turns = 0;
  const backend = await startTestBackend({
    message: (socket) => {
      turns += 1;
      const events = turns === 1 ? responseIn(['one EN']).slice(0, 6) : responseIn(['D and END']);
      sendAll(socket, events);
      if (turns === 1) socket.close();
    },
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/chat/completions`, { ...chat, stop: 'END' });
  expect(parse(await response.text()).choices[0].message.content).toBe('D and ');
  expect(turns).toBe(2);
});
