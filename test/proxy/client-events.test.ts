import { once } from 'node:events';
import { expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import {
  fastRetries,
  openWebSocket,
  proxyTo,
  receiveResponse,
  responseEvents,
  startTestBackend,
} from './setup.ts';

const request = { type: 'response.create', model: 'm', input: 'hello' };
const steer = { type: 'response.steer', previous_response_id: 'resp_1', input: 'be brief' };

async function nextEvent(socket: WebSocket): Promise<unknown> {
  const [data] = await once(socket, 'message');
  return JSON.parse(String(data));
}

it('refuses events other than requests at once, also while a response runs', async () => {
  const [created = '', ...rest] = responseEvents('OK', 'resp_1');
  let finish = () => {};
  const backend = await startTestBackend({
    message: (socket) => {
      socket.send(created);
      finish = () => {
        for (const event of rest) socket.send(event);
      };
    },
  });
  const client = await openWebSocket(`${await proxyTo(backend.url)}/v1/responses`);
  const send = (event: object) => {
    client.send(JSON.stringify(event));
    return nextEvent(client);
  };
  expect(await send(request)).toMatchObject({ type: 'response.created' });
  expect(await send(steer)).toEqual({
    type: 'response.steer.failed',
    sequence_number: 0,
    steer: { previous_response_id: 'resp_1', input: 'be brief' },
    error: {
      type: 'invalid_request_error',
      code: 'steering_not_supported',
      message: expect.stringContaining('next response.create'),
      param: null,
    },
  });
  // With members of a request, and the type behind them.
  for (const type of ['response.cancel', 'response.interrupt', 'session.update']) {
    expect(await send({ model: 'm', input: 'hello', type })).toEqual({
      type: 'error',
      status: 400,
      error: {
        type: 'invalid_request_error',
        code: 'invalid_value',
        message: `Invalid value: '${type}'. Supported values are: 'response.create'.`,
        param: 'type',
      },
    });
  }
  const response = receiveResponse(client);
  finish();
  expect(await response).toHaveLength(rest.length);
  client.send(JSON.stringify(request));
  await nextEvent(client);
  expect(backend.turns()).toHaveLength(2);
});

it('ends a client that sends such events and reads nothing', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, bodyBytes: 1024 * 1024 } });
  const client = await openWebSocket(`${proxy}/v1/responses`);
  client.on('error', () => {});
  client.pause();
  const closed = once(client, 'close');
  const event = JSON.stringify({ ...steer, input: 'x'.repeat(500_000) });
  // Buffers of the system take some of them.
  for (let count = 0; count < 100; count += 1) client.send(event);
  client.resume();
  expect((await closed)[0]).toBe(1006);
});
