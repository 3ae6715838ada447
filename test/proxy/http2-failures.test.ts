import { once } from 'node:events';
import { Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { listenLocally } from '../../src/listening.ts';
import { SecureConnection } from '../../src/proxy/http/upstream/secure-connection.ts';
import { sendUpstream } from '../../src/proxy/http/upstream/send-upstream.ts';
import { frame, many, number, settings } from '../wire/http2-frames.ts';
import { startRawBackend, startSecureBackend } from './secure-backend.ts';
import {
  fastRetries,
  hello,
  post,
  proxyTo,
  readEvents,
  responseEvents,
  shape,
  sse,
  tunnelled,
} from './setup.ts';

const signIn = () =>
  ({ lane: 'chatgpt', websockets: false, accessToken: 'the-token', accountId: 'the-account' }) as const;

const events = responseEvents('OK').map(sse);
const official = { ...tunnelled, version: '0.200.0' };
const head = { ':status': 200, 'content-type': 'text/event-stream' };

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

const zero = (length: number) => Buffer.alloc(length);

/** The head of a response with status 200 on the first stream. */
const answered = frame(1, 0x4, 1, Buffer.from('88', 'hex'));

function respond(stream: ServerHttp2Stream): void {
  stream.respond(head);
  stream.end(events.join(''));
}

/** What a program receives: the text of a response, or the code of an error. */
async function outcome(response: Response): Promise<string> {
  const all = await readEvents(response.clone());
  const last = JSON.parse(all.at(-1) ?? (await response.text()));
  return last.error?.code ?? last.type;
}

/** Posts over one connection after the other, as an official client does. */
function officialClient(origin: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const send = async (body: string): Promise<IncomingMessage> => {
    const request = requestHttp(`${origin}/backend-api/codex/responses`, {
      method: 'POST',
      agent,
      headers: official,
    }).end(body);
    const [response] = await once(request, 'response');
    return response;
  };
  return { send, agent };
}

it('sends a request that the backend refuses once more, for either kind of client', async () => {
  const backend = await startSecureBackend({
    stream: (stream, count) => {
      if (count % 2 === 1) stream.close(NGHTTP2_REFUSED_STREAM);
      else respond(stream);
    },
  });
  const proxy = await proxyTo(backend.url, { signIn, limits: { retries: [0] } });
  expect(await outcome(await post(`${proxy}/v1/responses`, hello))).toBe('response.completed');
  const client = officialClient(proxy);
  expect(await text(await client.send('{"model":"m"}'))).toBe(events.join(''));
  expect(await text(await client.send('{"model":"m"}'))).toBe(events.join(''));
  expect(backend.connections.accepted).toBe(5);
});

it('retries a request that the backend resets as over HTTP/1.1, and then reports it', async () => {
  let streams = 0;
  const backend = await startSecureBackend({
    stream: (stream) => {
      streams += 1;
      stream.close(NGHTTP2_INTERNAL_ERROR);
    },
  });
  const proxy = await proxyTo(backend.url, { signIn });
  expect(await outcome(await post(`${proxy}/v1/responses`, hello))).toBe('upstream_unreachable');
  expect(streams).toBe(4);
  const response = await officialClient(proxy).send('{"model":"m"}');
  expect([response.statusCode, streams]).toEqual([502, 5]);
  await expect.poll(() => backend.connections.open).toBe(0);
});

it.each(['reset', 'goaway', 'connection'])(
  'cuts a response off where the %s of the backend cuts it',
  async (what) => {
    const part = Buffer.concat([settings(), answered, frame(0, 0, 1, events.slice(0, 3).join(''))]);
    const cut =
      what === 'reset' ? frame(3, 0, 1, number(2)) : frame(7, 0, 0, Buffer.concat([number(1), number(2)]));
    const url = await startRawBackend((socket) => {
      socket.once('data', () => {
        socket.write(part);
        if (what === 'connection') socket.end();
        else socket.write(cut);
      });
      socket.resume();
    });
    const proxy = await proxyTo(url, { signIn });
    expect(await outcome(await post(`${proxy}/v1/responses`, hello))).toBe('upstream_lost');
    const response = await officialClient(proxy).send('{"model":"m"}');
    await expect(text(response)).rejects.toThrow('aborted');
  },
);

it('finishes a turn on a connection that takes no more requests, and opens another one for the next', async () => {
  const backend = await startSecureBackend({
    stream: (stream, count) => {
      if (count > 1) return respond(stream);
      stream.respond(head);
      stream.write(events.slice(0, 3).join(''));
      stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id);
      setTimeout(() => stream.end(events.slice(3).join('')), 50);
    },
  });
  const client = officialClient(await proxyTo(backend.url, { signIn }));
  expect(await text(await client.send('{"model":"m"}'))).toBe(events.join(''));
  expect(await text(await client.send('{"model":"m"}'))).toBe(events.join(''));
  expect(backend.connections.accepted).toBe(2);
});

it.each(['goaway', 'end'])('opens another connection after the %s of an idle one', async (what) => {
  const backend = await startSecureBackend({ stream: respond });
  const client = officialClient(await proxyTo(backend.url, { signIn }));
  expect(await text(await client.send('{"model":"m"}'))).toBe(events.join(''));
  if (what === 'goaway') backend.sessions[0]?.close();
  else backend.sessions[0]?.destroy();
  await expect.poll(() => backend.connections.open).toBe(0);
  expect(await text(await client.send('{"model":"m"}'))).toBe(events.join(''));
  expect(backend.connections.accepted).toBe(2);
});

it('sends a request again that the backend has not begun when it ends the connection', async () => {
  const backend = await startSecureBackend({
    stream: (stream, count) => {
      if (count !== 2) return respond(stream);
      const ofFirst = 1;
      stream.session?.goaway(constants.NGHTTP2_NO_ERROR, ofFirst);
    },
  });
  const client = officialClient(await proxyTo(backend.url, { signIn }));
  for (const _ of [1, 2]) expect(await text(await client.send('{"model":"m"}'))).toBe(events.join(''));
  expect(backend.connections.accepted).toBe(2);
});

it('does not send a request again that the backend may have begun', async () => {
  let streams = 0;
  const backend = await startSecureBackend({
    stream: (stream, count) => {
      streams = count;
      if (count === 2) stream.session?.socket.destroy();
      else respond(stream);
    },
  });
  const client = officialClient(await proxyTo(backend.url, { signIn }));
  expect(await text(await client.send('{"model":"m"}'))).toBe(events.join(''));
  expect((await client.send('{"model":"m"}')).statusCode).toBe(502);
  expect(streams).toBe(2);
});

it.each<[string, (socket: Socket) => void]>([
  ['accepts connections only', () => {}],
  ['sends no settings', (socket) => void socket.resume()],
  ['allows no streams', (socket) => void socket.resume().write(settings([3, 0]))],
  ['opens no window', (socket) => void socket.resume().write(settings([4, 0]))],
])('reports a backend that %s as silent', async (_what, serve) => {
  const url = await startRawBackend(serve);
  const limits = { ...fastRetries, firstByte: 200 };
  const proxy = await proxyTo(url, { signIn, limits });
  expect(await outcome(await post(`${proxy}/v1/responses`, hello))).toBe('upstream_silent');
});

it('reports a backend that never finishes the TLS handshake as silent', async () => {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.once('close', () => sockets.delete(socket)).resume();
  });
  const url = new URL(`https://localhost:${await listenLocally(server)}/backend-api/codex`);
  onTestFinished(() => void server.close());
  const limits = { ...fastRetries, firstByte: 200 };
  const proxy = await proxyTo(url, { signIn, limits });
  expect(await outcome(await post(`${proxy}/v1/responses`, hello))).toBe('upstream_silent');
  await expect.poll(() => sockets.size).toBe(0);
});

it('reports a backend that falls silent within a response', async () => {
  const backend = await startSecureBackend({
    stream: (stream) => {
      stream.respond(head);
      stream.write(events[0]);
    },
  });
  const proxy = await proxyTo(backend.url, { signIn, limits: { ...fastRetries, idle: 200 } });
  expect(await outcome(await post(`${proxy}/v1/responses`, hello))).toBe('upstream_silent');
  await expect.poll(() => backend.connections.open).toBe(0);
});

it.each<[string, Buffer]>([
  ['what is not HTTP/2', Buffer.from('HTTP/1.1 200 OK\r\n\r\n')],
  ['settings without end', Buffer.concat([settings(), many(100_000, () => settings([4, 1]))])],
  ['pings without end', Buffer.concat([settings(), many(100_000, () => frame(6, 0, 0, zero(8)))])],
  [
    'headers without end',
    Buffer.concat([settings(), frame(1, 0, 1, zero(1000)), many(1000, () => frame(9, 0, 1, zero(16_000)))]),
  ],
  [
    'too many headers',
    Buffer.concat([
      settings(),
      frame(
        1,
        0x4,
        1,
        Buffer.concat([
          Buffer.from('88', 'hex'),
          many(4000, () => Buffer.from('00016101', 'hex').fill(0x62, 3)),
        ]),
      ),
    ]),
  ],
  ['resets without end', Buffer.concat([settings(), many(100_000, () => frame(3, 0, 1, number(0)))])],
  [
    'more than the window',
    Buffer.concat([settings(), answered, many(400, () => frame(0, 0, 1, zero(16_000)))]),
  ],
  [
    'a push',
    Buffer.concat([
      settings(),
      frame(5, 0x4, 1, Buffer.concat([number(2), Buffer.from('828684410161', 'hex')])),
    ]),
  ],
])('survives a backend that sends %s', async (_what, bytes) => {
  const url = await startRawBackend((socket) => {
    // The request has the number 1 when this arrives.
    socket.once('data', () => void socket.write(bytes)).resume();
  });
  const limits = { ...fastRetries, firstByte: 2000, idle: 200 };
  const proxy = await proxyTo(url, { signIn, limits });
  expect(await outcome(await post(`${proxy}/v1/responses`, hello))).toMatch(/^upstream_/);
  expect((await fetch(`${proxy}/healthz`)).status).toBe(200);
});

it('cancels a request whose client is gone, before its response and within it', async () => {
  const codes: number[] = [];
  const backend = await startSecureBackend({
    stream: (stream, count) => {
      stream.once('close', () => codes.push(stream.rstCode)).resume();
      if (count % 2 === 1) return;
      stream.respond(head);
      stream.write(events[0]);
    },
  });
  const proxy = await proxyTo(backend.url, { signIn });
  for (const headers of [{}, official]) {
    for (const begins of [false, true]) {
      const request = requestHttp(`${proxy}/v1/responses`, { method: 'POST', headers });
      request.on('error', () => {}).end(JSON.stringify(hello));
      const before = codes.length;
      if (begins) await once(request, 'response');
      else await expect.poll(() => backend.sessions.length).toBe(before + 1);
      request.destroy();
      await expect.poll(() => codes.length).toBe(before + 1);
    }
  }
  expect(codes).toEqual(Array(4).fill(constants.NGHTTP2_CANCEL));
  await expect.poll(() => backend.connections.open).toBe(0);
});

/** What a request's RST_STREAM with the code CANCEL looks like: see `frame`. */
const cancelled = (stream: number) => frame(3, 0, stream, number(constants.NGHTTP2_CANCEL));

/** A backend that sends the given bytes when a request arrives, never ends a connection, and keeps what it receives. */
async function startHalfOpen(bytes: Buffer) {
  const received: Buffer[] = [];
  const sockets: Socket[] = [];
  const url = await startRawBackend((socket) => {
    sockets.push(socket);
    socket.once('data', () => void socket.write(bytes));
    socket.on('data', (part: Buffer) => received.push(part));
  });
  return { url, sockets, all: () => Buffer.concat(received) };
}

it('resets a stream that it does not need to the end', async () => {
  const whole = Buffer.concat([settings(), answered, frame(0, 0, 1, events.join(''))]);
  const backend = await startHalfOpen(whole);
  const proxy = await proxyTo(backend.url, { signIn });
  expect(await outcome(await post(`${proxy}/v1/responses`, hello))).toBe('response.completed');
  await expect.poll(() => backend.all().includes(cancelled(1))).toBe(true);
});

it('resets a stream whose response came before the request was read', async () => {
  const whole = Buffer.concat([settings(), answered, frame(0, 1, 1, 'no')]);
  const backend = await startHalfOpen(whole);
  const proxy = await proxyTo(backend.url, { signIn });
  const body = Buffer.alloc(1_000_000);
  const response = await fetch(`${proxy}/backend-api/wham/tasks`, { method: 'POST', body });
  expect(await response.text()).toBe('no');
  await expect.poll(() => backend.all().includes(cancelled(1))).toBe(true);
});

it('ends a connection that the backend does not end, after its GOAWAY too', async () => {
  const whole = Buffer.concat([settings(), answered, frame(0, 1, 1, events.join(''))]);
  const goaway = frame(7, 0, 0, Buffer.concat([number(1), number(0)]));
  for (const bytes of [whole, Buffer.concat([whole, goaway])]) {
    const backend = await startHalfOpen(bytes);
    const proxy = await proxyTo(backend.url, { signIn });
    const client = officialClient(proxy);
    expect(await text(await client.send('{"model":"m"}'))).toBe(events.join(''));
    if (bytes === whole) client.agent.destroy();
    // Only a connection that is gone refuses further bytes.
    const isGone = () => backend.sockets[0]?.write(zero(1)) === false || backend.sockets[0]?.destroyed;
    await expect.poll(isGone, { timeout: 5000 }).toBe(true);
  }
});

it('sends only one request at a time over a connection', async () => {
  const backend = await startSecureBackend({ stream: respond });
  const connection = new SecureConnection(shape.httpForm, 60_000);
  onTestFinished(() => connection.destroy());
  const { signal } = new AbortController();
  const body = Buffer.from('{}');
  const headers = [['content-length', '2']] as const;
  const request = { url: backend.url, method: 'POST', headers, body, signal, form: shape.httpForm };
  const responses = await Promise.all([1, 2].map(() => sendUpstream({ ...request, connection })));
  for (const response of responses) expect(await text(response)).toBe(events.join(''));
  expect(backend.connections.accepted).toBe(2);
  // None is forgotten while it is open.
  connection.destroy();
  await expect.poll(() => backend.connections.open).toBe(0);
});

it('reads no more of a response than its client does', async () => {
  let written = 0;
  const chunk = Buffer.alloc(64 * 1024);
  const backend = await startSecureBackend({
    stream: (stream) => {
      stream.respond(head);
      const write = () => {
        do written += chunk.length;
        while (stream.write(chunk));
      };
      stream.on('drain', write);
      write();
    },
  });
  const client = officialClient(await proxyTo(backend.url, { signIn }));
  const response = await client.send('{"model":"m"}');
  let last = -1;
  // It stands still when the windows are full.
  while (written > last) {
    last = written;
    await delay(300);
  }
  expect(written).toBeGreaterThan(0);
  expect(written).toBeLessThan(10 * 1024 * 1024);
  response.destroy();
});

it('leaves no connection and no timer behind', async () => {
  const backend = await startSecureBackend({
    stream: (stream, count) => {
      if (count % 3 === 0) stream.close(NGHTTP2_INTERNAL_ERROR);
      else respond(stream);
    },
  });
  const proxy = await proxyTo(backend.url, { signIn });
  /** The fewest timers and sockets within a second. Vitest, and the client of this test, have some of their own for a moment. */
  const held = async () => {
    let least = process.getActiveResourcesInfo();
    for (let n = 0; n < 20; n += 1) {
      await delay(50);
      const now = process.getActiveResourcesInfo();
      if (now.length < least.length) least = now;
    }
    return least.toSorted();
  };
  await post(`${proxy}/v1/responses`, hello).then((response) => response.text());
  await expect.poll(() => backend.connections.open).toBe(0);
  const before = await held();
  for (let n = 0; n < 10; n += 1) {
    const client = officialClient(proxy);
    await text(await client.send('{"model":"m"}'));
    await post(`${proxy}/v1/responses`, hello).then((response) => response.text());
    client.agent.destroy();
  }
  await expect.poll(() => backend.connections.open).toBe(0);
  expect(await held()).toEqual(before);
});
