import { expect, it } from 'vitest';
import {
  openWebSocket,
  post,
  proxyTo,
  readEvents,
  receiveResponse,
  responseEvents,
  sendAll,
  startTestBackend,
} from './setup.ts';

const request = (input: string) => ({ model: 'm', input, stream: true, prompt_cache_key: 'one' });

/** The events of a response whose ids are its own, in all the places where the API has them. */
function eventsOf(name: string): string[] {
  return responseEvents(name, `resp_${name}`).map((event) => {
    const parsed = JSON.parse(event.replaceAll('msg_1', `msg_${name}`));
    return JSON.stringify(parsed.delta === undefined ? parsed : { ...parsed, item_id: `msg_${name}` });
  });
}

const failedOf = (name: string) =>
  JSON.stringify({
    type: 'response.failed',
    response: { id: `resp_${name}`, error: { code: 'server_error' } },
  });

const first = eventsOf('first');
const [created = '', added = '', delta = '', done = '', completed = ''] = first;
const withResponseId = JSON.stringify({
  type: 'response.output_text.delta',
  response_id: 'resp_first',
  delta: 'x',
});

it.each([
  ['its last event again', [completed]],
  ['a failure', [failedOf('first')]],
  ['an item and its text', [added, delta, done]],
  [
    'an event with its id',
    [withResponseId, JSON.stringify({ type: 'response.in_progress', response: { id: 'resp_first' } })],
  ],
  ['all of them', [added, withResponseId, delta, done, completed]],
])('does not take late events of an earlier response for the next one: %s', async (_, late) => {
  const second = eventsOf('second');
  const backend = await startTestBackend({
    message: (socket, { input }) => {
      const isFirst = JSON.stringify(input).includes('"a"');
      sendAll(socket, isFirst ? first : [...late, ...second]);
    },
  });
  const proxy = await proxyTo(backend.url);
  expect(await readEvents(await post(`${proxy}/v1/responses`, request('a')))).toEqual(first);
  expect(await readEvents(await post(`${proxy}/v1/responses`, request('b')))).toEqual(second);
  expect(backend.received).toHaveLength(1);
});

it('does not take late events of a prewarm for the response', async () => {
  const warm = responseEvents('', 'resp_warm');
  const backend = await startTestBackend({
    message: (socket) => sendAll(socket, [...warm.slice(-1), ...first]),
    prewarm: (socket) => sendAll(socket, warm),
  });
  expect(await readEvents(await post(`${await proxyTo(backend.url)}/v1/responses`, request('a')))).toEqual(
    first,
  );
});

it('does not take the last event of an earlier response for that of the running one', async () => {
  const second = eventsOf('second');
  const backend = await startTestBackend({
    message: (socket, { input }) => {
      if (JSON.stringify(input).includes('"a"')) return sendAll(socket, first);
      return sendAll(socket, [...second.slice(0, 2), completed, failedOf('first'), ...second.slice(2)]);
    },
  });
  const proxy = await proxyTo(backend.url);
  await (await post(`${proxy}/v1/responses`, request('a'))).text();
  expect(await readEvents(await post(`${proxy}/v1/responses`, request('b')))).toEqual(second);
});

it('takes events without ids, errors, and responses that have the same id, for the current response', async () => {
  const error = '{"type":"error","status":400,"error":{"code":"invalid_value"}}';
  const responses = [first, first, [error], [created, delta.replace(/,"item_id":"[^"]*"/, ''), completed]];
  let turns = 0;
  const backend = await startTestBackend({
    message: (socket) => {
      sendAll(socket, responses[turns] ?? []);
      turns += 1;
    },
  });
  const client = await openWebSocket(`${await proxyTo(backend.url)}/v1/responses`);
  for (const [index, expected] of responses.entries()) {
    const response = receiveResponse(client);
    client.send(JSON.stringify({ type: 'response.create', model: 'm', input: String(index) }));
    expect(await response).toEqual(expected);
  }
});
