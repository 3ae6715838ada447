import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import {
  fastRetries,
  openWebSocket,
  post,
  proxyTo,
  readEvents,
  receiveResponse,
  responseEvents,
  sendAll,
  startTestBackend,
} from './setup.ts';

const hello = {
  type: 'response.create',
  model: 'm',
  stream: true,
  input: [{ role: 'user', content: 'hello' }],
};
const official = {
  'session-id': '01a20000-0000-7000-8000-000000000001',
  originator: 'codex_exec',
  'x-codex-routing-hint': 'model=m',
};

/** Bytes of each event. */
const large = 1024 * 1024;
const [created = '', , , , completed = ''] = responseEvents('OK');
const events = [
  created,
  ...Array.from({ length: 64 }, (_, n) =>
    JSON.stringify({ type: 'response.output_text.delta', sequence_number: n, delta: 'x'.repeat(large) }),
  ),
  completed,
];

/** A backend that says more than sockets hold, and how many bytes of it have not left it yet. */
async function talkative() {
  let speaker: WebSocket | undefined;
  const backend = await startTestBackend({
    message: (socket) => {
      speaker = socket;
      sendAll(socket, events);
    },
  });
  return {
    url: backend.url,
    left: () => speaker?.bufferedAmount ?? 0,
    gone: () => speaker?.readyState === WebSocket.CLOSED,
  };
}

/** Waits until nothing more leaves the backend; what has not left by then is what the proxy does not hello for. */
async function atRest(left: () => number): Promise<number> {
  await expect.poll(left).toBeGreaterThan(0);
  let before = -1;
  for (let unchanged = 0; unchanged < 4; unchanged = left() === before ? unchanged + 1 : 0) {
    before = left();
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  return left();
}

it.each([
  ['an official client', official],
  ['a program', {}],
])(
  'takes no more from the backend than %s reads over its websocket, and loses nothing',
  async (_, headers) => {
    const backend = await talkative();
    const socket = await openWebSocket(`${await proxyTo(backend.url)}/v1/responses`, headers);
    const answer = receiveResponse(socket);
    answer.catch(() => {});
    socket.send(JSON.stringify(hello));
    socket.pause();
    expect(await atRest(backend.left)).toBeGreaterThan(32 * large);
    socket.resume();
    expect(await answer).toEqual(events);
  },
);

it('takes no more from the backend than is read of a stream, and loses nothing', async () => {
  const backend = await talkative();
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await atRest(backend.left)).toBeGreaterThan(32 * large);
  expect(await readEvents(response)).toEqual(events);
});

it('gives an answer up that a client does not read on for the idle time, and says whose fault it is', async () => {
  const backend = await talkative();
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, idle: 300 } });
  const socket = await openWebSocket(`${proxy}/v1/responses`);
  const answer = receiveResponse(socket);
  socket.send(JSON.stringify(hello));
  socket.pause();
  await expect.poll(backend.gone, { timeout: 5000 }).toBe(true);
  socket.resume();
  expect((await answer).at(-1)).toContain('the response was cut off: the client stopped reading');
});
