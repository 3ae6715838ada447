import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { listenLocally } from '../../src/listening.ts';
import type { BackendMessage } from '../../src/proxy/http/upstream/backend-message.ts';
import { KeptConnection } from '../../src/proxy/http/upstream/kept-connection.ts';
import { sendUpstream } from '../../src/proxy/http/upstream/send-upstream.ts';
import { keptWayOut } from '../../src/proxy/http/upstream/way-out.ts';
import { shape } from './setup.ts';

const body = Buffer.from('{"model":"m"}');
const expectedRequest =
  'POST /responses?a=b HTTP/1.1\r\nHost: backend\r\nX-Case: Kept\r\ncontent-length: 13\r\n\r\n{"model":"m"}';

/** A backend that answers the nth request over all connections with the nth bytes, and counts what it receives. */
async function startBackend(answers: readonly ((socket: Socket) => void)[]) {
  const received: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.length < expectedRequest.length) return;
      received.push(text);
      text = '';
      answers[received.length - 1]?.(socket);
    });
  });
  const url = new URL(`http://127.0.0.1:${await listenLocally(server)}/responses?a=b`);
  onTestFinished(() => void server.close());
  return { url, received, sockets };
}

const bytes = (text: string) => (socket: Socket) => void socket.write(text, 'latin1');

function requestTo(url: URL, signal = new AbortController().signal) {
  const headers = [
    ['Host', 'backend'],
    ['X-Case', 'Kept'],
    ['content-length', String(body.length)],
  ] as const;
  return { url, method: 'POST', headers, body, signal };
}

function keep(idle = 60_000): KeptConnection {
  const connection = new KeptConnection(idle);
  onTestFinished(() => connection.destroy());
  return connection;
}

it('sends the head as it is given, and takes any framing of the response, over one connection', async () => {
  const backend = await startBackend([
    bytes('HTTP/1.1 200 Fine\r\nX-One: 1\r\nContent-Length: 2\r\n\r\nok'),
    (socket) => {
      socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 \r\nTransfer-Encoding: chunked\r\n\r\n3\r\na');
      setImmediate(() => socket.write('bc\r\n1;x=y\r\nd\r\n0\r\nTrailer: x\r\n\r\n'));
    },
    bytes('HTTP/1.1 204 No Content\r\n\r\n'),
    (socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end'),
    bytes('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx'),
    bytes('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  ]);
  const connection = keep();
  const responses: unknown[] = [];
  for (const _ of backend.url.href.slice(0, 6)) {
    const request = requestTo(backend.url);
    await expect.poll(() => connection.takes(request)).toBe(true);
    const response = await connection.send(request);
    const text = String(await buffer(response));
    responses.push([
      response.statusCode,
      response.statusMessage,
      response.rawHeaders[0],
      text,
      response.complete,
    ]);
  }
  expect(responses).toEqual([
    [200, 'Fine', 'X-One', 'ok', true],
    [429, '', 'Transfer-Encoding', 'abcd', true],
    [204, 'No Content', undefined, '', true],
    [200, 'OK', undefined, 'until the end', true],
    [200, 'OK', 'Connection', 'x', true],
    [200, 'OK', 'Content-Length', '', true],
  ]);
  expect(backend.received).toEqual(Array.from({ length: 6 }, () => expectedRequest));
  // The fourth and the fifth response end their connections.
  expect(backend.sockets).toHaveLength(3);
});

const answer = bytes('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');

it.each<[string, (socket: Socket) => void]>([
  ['resets', (socket) => void socket.resetAndDestroy()],
  ['ends', (socket) => void socket.end()],
  [
    'begins to respond and resets',
    (socket) => {
      socket.write('HTTP/1.1 2');
      setImmediate(() => socket.resetAndDestroy());
    },
  ],
])('does not send a request again that the backend may have read, which then %s', async (_, fail) => {
  const backend = await startBackend([answer, fail, answer]);
  const connection = keep();
  const send = async () => String(await buffer(await connection.send(requestTo(backend.url))));
  expect(await send()).toBe('ok');
  await expect(send()).rejects.toThrow(/without a response|ECONNRESET/);
  expect(backend.received).toHaveLength(2);
  expect(await send()).toBe('ok');
});

it('does not send a request through an agent again that the backend may have read', async () => {
  const backend = await startBackend([answer, (socket) => void socket.resetAndDestroy(), answer]);
  const agent = keptWayOut(backend.url, 60_000);
  onTestFinished(() => agent.destroy());
  const send = () => sendUpstream({ ...requestTo(backend.url), agent, form: shape.httpForm });
  expect(String(await buffer(await send()))).toBe('ok');
  await expect(send()).rejects.toThrow('ECONNRESET');
  expect(backend.sockets).toHaveLength(1);
  expect(backend.received).toHaveLength(2);
});

it('sends a request again if the connection that was used before has ended before any of it was sent', async () => {
  const backend = await startBackend([answer, answer]);
  const connection = keep();
  const send = async () => String(await buffer(await connection.send(requestTo(backend.url))));
  expect(await send()).toBe('ok');
  // Nobody can notice that before the request is written.
  backend.sockets[0]?.resetAndDestroy();
  expect(await send()).toBe('ok');
  expect(backend.received).toHaveLength(2);
});

it('does not send a request again over a connection that another one has taken meanwhile', async () => {
  const ok = (text: string) => bytes(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${text}`);
  const backend = await startBackend([ok('first'), ok('other'), ok('again')]);
  const connection = keep();
  await buffer(await connection.send(requestTo(backend.url)));
  backend.sockets[0]?.resetAndDestroy();
  const gone = new AbortController();
  const failing = requestTo(backend.url, gone.signal);
  // It is called when the connection has ended, before the request fails.
  const other = new Promise<BackendMessage>((resolve, reject) => {
    gone.signal.removeEventListener = () =>
      void connection.send(requestTo(backend.url)).then(resolve, reject);
  });
  await expect(connection.send(failing)).rejects.toThrow();
  expect(String(await buffer(await other))).toBe('other');
  expect(backend.received).toHaveLength(2);
});

it.each([
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!'],
  [
    'a length and chunks',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  ],
  ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n'],
  ['no HTTP', 'SSH-2.0-x\r\n'],
])('refuses a response with %s, and ends the connection', async (_, text) => {
  const backend = await startBackend([bytes(text)]);
  await expect(keep().send(requestTo(backend.url))).rejects.toThrow();
  const [socket] = backend.sockets;
  if (socket !== undefined && !socket.readableEnded)
    await Promise.race([once(socket, 'end'), once(socket, 'close')]);
});

it('reports a body that is cut off or not valid, and bytes that nobody asked for are never a response', async () => {
  const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n';
  const backend = await startBackend([
    (socket) => void socket.end(`${ok}o`),
    bytes('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'),
    bytes(`${ok}okHTTP/1.1 200 OK\r\nX-Of: another\r\nContent-Length: 3\r\n\r\nbad`),
    bytes(`${ok}ok`),
  ]);
  const connection = keep();
  for (const _ of [1, 2]) {
    const response = await connection.send(requestTo(backend.url));
    await expect(buffer(response)).rejects.toThrow();
    expect(response.complete).toBe(false);
  }
  for (const _ of [1, 2]) {
    const response = await connection.send(requestTo(backend.url));
    expect(response.rawHeaders).toEqual(['Content-Length', '2']);
    expect(String(await buffer(response))).toBe('ok');
  }
  expect(backend.sockets).toHaveLength(4);
});

it('stops reading while nobody reads the body', async () => {
  const length = 64 * 1024 * 1024;
  const backend = await startBackend([
    (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
      socket.write(Buffer.alloc(length));
    },
  ]);
  const response = await keep().send(requestTo(backend.url));
  let before = -1;
  const isStill = () => {
    const { writableLength = 0 } = backend.sockets[0] ?? {};
    const same = writableLength === before && writableLength > 0;
    before = writableLength;
    return same;
  };
  await expect.poll(isStill, { interval: 200 }).toBe(true);
  expect(response.readableLength).toBeLessThan(1024 * 1024);
  expect((await buffer(response)).length).toBe(length);
});

it('ends the connection when the request is cancelled, when the response is, and when it is unused', async () => {
  const head = bytes('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n');
  const backend = await startBackend([
    () => {},
    head,
    head,
    bytes('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  ]);
  const connection = keep(50);
  const ended = (n: number) =>
    expect.poll(() => backend.sockets[n]?.readableEnded || backend.sockets[n]?.closed).toBe(true);
  const gone = new AbortController();
  const waiting = connection.send(requestTo(backend.url, gone.signal));
  expect(connection.takes(requestTo(backend.url))).toBe(false);
  await expect.poll(() => backend.received.length).toBe(1);
  gone.abort(new Error('the client left'));
  await expect(waiting).rejects.toThrow('the client left');
  await ended(0);
  (await connection.send(requestTo(backend.url))).destroy();
  await ended(1);
  const cut = new AbortController();
  const response = await connection.send(requestTo(backend.url, cut.signal));
  cut.abort(new Error('the client left'));
  await expect(buffer(response)).rejects.toThrow('the client left');
  await ended(2);
  await buffer(await connection.send(requestTo(backend.url)));
  await ended(3);
});

it('waits longer for a response than it stays open without one', async () => {
  const idle = 50;
  const late = (text: string) => (socket: Socket) =>
    void setTimeout(() => socket.write(text, 'latin1'), 3 * idle);
  const backend = await startBackend([late('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), answer]);
  const connection = keep(idle);
  const send = async () => String(await buffer(await connection.send(requestTo(backend.url))));
  expect(await send()).toBe('ok');
  await expect.poll(() => backend.sockets[0]?.readableEnded).toBe(true);
  expect(await send()).toBe('ok');
  expect(backend.sockets).toHaveLength(2);
});

it('ends when it is unused, also after a response that was read slowly', async () => {
  const idle = 50;
  const length = 160_000;
  const backend = await startBackend([
    bytes(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`),
  ]);
  const response = await keep(idle).send(requestTo(backend.url));
  await delay(4 * idle);
  expect(await buffer(response)).toHaveLength(length);
  await expect.poll(() => backend.sockets[0]?.readableEnded).toBe(true);
});

it('takes only bodies whose length the headers state, and refuses headers that are not valid', async () => {
  const backend = await startBackend([]);
  const connection = keep();
  const request = requestTo(backend.url);
  const withLength = (...headers: (readonly [string, string])[]) =>
    connection.takes({ ...request, headers: [['Host', 'backend'], ...headers] });
  expect(withLength(['Content-Length', '13'])).toBe(true);
  expect(withLength()).toBe(false);
  expect(withLength(['Content-Length', '12'])).toBe(false);
  expect(withLength(['Content-Length', '13'], ['content-length', '13'])).toBe(false);
  expect(withLength(['Content-Length', '13'], ['Transfer-Encoding', 'chunked'])).toBe(false);
  const split = [...request.headers, ['x', 'a\r\nb: c']] as const;
  await expect(connection.send({ ...request, headers: split })).rejects.toThrow('x');
  expect(backend.sockets).toEqual([]);
});
