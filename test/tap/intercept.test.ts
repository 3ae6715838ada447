import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect as connectHttp2, createSecureServer as createHttp2Server } from 'node:http2';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import type { CertificateAuthority } from '../../src/tap/certificate-authority.ts';
import { type InterceptingTapOptions, startInterceptingTap } from '../../src/tap/intercept.ts';
import { trust } from '../proxy/secure-backend.ts';
import { hostile, preface } from '../wire/http2-frames.ts';
import {
  backend,
  closed,
  closedPort,
  closing,
  connected,
  everything,
  inRandomChunks,
  listening,
  observing,
  securely,
  temporaryAuthority,
  tunnelled,
} from './local.ts';

async function interceptingTap(port: number, options: Partial<InterceptingTapOptions> = {}) {
  const authority = await temporaryAuthority();
  const watch = observing();
  const upstream = { kind: 'fixed', host: '127.0.0.1', port, tls: false } as const;
  const tap = closing(
    await startInterceptingTap({
      authority,
      upstream,
      onOtherHost: 'refuse',
      observe: watch.observe,
      ...options,
    }),
  );
  return { tap, authority, ...watch };
}

it('accepts a client that trusts only its authority, and records how it begins its handshake', async () => {
  const port = await backend(() => {});
  const { tap, authority, observed, until } = await interceptingTap(port);
  const client = await securely(tap.port, 'chatgpt.com', authority, { ALPNProtocols: ['h2', 'http/1.1'] });
  await until('connection');
  expect(client.authorized).toBe(true);
  expect(client.alpnProtocol).toBe('http/1.1');
  expect(observed).toEqual([
    {
      type: 'connection',
      connection: 1,
      authority: 'chatgpt.com',
      tls: {
        offered: ['h2', 'http/1.1'],
        chosen: 'http/1.1',
        hello: expect.objectContaining({ versions: ['TLS 1.3', 'TLS 1.2'], keyShares: expect.anything() }),
      },
    },
  ]);
});

it('reads a handshake that arrives byte by byte', async () => {
  const port = await backend(() => {});
  const { tap, authority, observed, until } = await interceptingTap(port);
  const { socket } = await tunnelled(tap.port, 'chatgpt.com:443');
  const slow = new Duplex({
    read() {},
    write(bytes: Buffer, _, done) {
      for (const byte of bytes) socket.write(Buffer.of(byte));
      done();
    },
  });
  socket.setNoDelay(true);
  socket.on('data', (bytes) => slow.push(bytes));
  const client = connectTls({ socket: slow, servername: 'chatgpt.com', ca: authority.certificate });
  onTestFinished(() => void client.destroy());
  await once(client, 'secureConnect');
  await setImmediate();
  await until('connection');
  expect(observed).toMatchObject([{ tls: { hello: { versions: ['TLS 1.3', 'TLS 1.2'] } } }]);
});

it('accepts a handshake that begins with two records', async () => {
  const port = await backend(() => {});
  const { tap, authority, observed, until } = await interceptingTap(port);
  const { socket } = await tunnelled(tap.port, 'chatgpt.com:443');
  let isFirst = true;
  const split = new Duplex({
    read() {},
    write(bytes: Buffer, _, done) {
      const record = (payload: Buffer) =>
        Buffer.concat([bytes.subarray(0, 3), Buffer.of(payload.length >> 8, payload.length & 0xff), payload]);
      socket.write(
        isFirst ? Buffer.concat([record(bytes.subarray(5, 50)), record(bytes.subarray(50))]) : bytes,
      );
      isFirst = false;
      done();
    },
  });
  socket.on('data', (bytes) => split.push(bytes));
  const client = connectTls({
    ...{ socket: split, servername: 'chatgpt.com', ca: authority.certificate },
    ALPNProtocols: ['h2', 'http/1.1'],
  });
  onTestFinished(() => void client.destroy());
  await once(client, 'secureConnect');
  await setImmediate();
  await until('connection');
  expect(observed).toMatchObject([{ tls: { offered: ['h2', 'http/1.1'], chosen: 'http/1.1' } }]);
});

it('records a client that does not begin a TLS handshake', async () => {
  const port = await backend(() => {});
  const { tap, observed, until } = await interceptingTap(port);
  const { socket } = await tunnelled(tap.port, 'chatgpt.com:443');
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await until('end');
  expect(observed).toEqual([
    {
      type: 'connection',
      connection: 1,
      authority: 'chatgpt.com',
      tls: { offered: [], chosen: null },
    },
    expect.objectContaining({ type: 'undecodable', from: 'client' }),
    { type: 'end', connection: 1, by: 'client' },
  ]);
});

it('accepts a client that offers no ALPN protocol', async () => {
  const port = await backend(() => {});
  const { tap, authority, observed, until } = await interceptingTap(port);
  await securely(tap.port, 'chatgpt.com', authority);
  await until('connection');
  expect(observed).toMatchObject([{ tls: { offered: [], chosen: null } }]);
});

it('records a client that does not trust the authority', async () => {
  const port = await backend(() => {});
  const { tap, observed, until } = await interceptingTap(port);
  await expect(securely(tap.port, 'chatgpt.com', await temporaryAuthority())).rejects.toThrow();
  await until('end');
  expect(observed).toMatchObject([
    { type: 'connection', connection: 1, authority: 'chatgpt.com' },
    { type: 'undecodable', connection: 1, from: 'client', reason: /did not complete the TLS handshake/ },
    { type: 'end', connection: 1, by: 'client' },
  ]);
});

it('records a client that supports only HTTP/2', async () => {
  const port = await backend(() => {});
  const { tap, authority, observed, until } = await interceptingTap(port);
  await expect(securely(tap.port, 'chatgpt.com', authority, { ALPNProtocols: ['h2'] })).rejects.toThrow();
  await until('end');
  expect(observed).toMatchObject([
    { type: 'connection', tls: { offered: ['h2'], chosen: null } },
    {
      type: 'undecodable',
      reason: 'the client did not complete the TLS handshake: ERR_SSL_NO_APPLICATION_PROTOCOL',
    },
    { type: 'end' },
  ]);
});

it('passes 5 MB each way unchanged, in random chunks', async () => {
  const received: Promise<Buffer>[] = [];
  const response = randomBytes(5_000_000);
  const port = await backend((socket) => {
    received.push(everything(socket));
    socket.end(response);
  });
  const { tap, authority } = await interceptingTap(port);
  const client = await securely(tap.port, 'chatgpt.com', authority);
  const request = randomBytes(5_000_000);
  for (const chunk of inRandomChunks(request)) client.write(chunk);
  client.end();
  expect((await everything(client)).equals(response)).toBe(true);
  expect((await received[0])?.equals(request)).toBe(true);
});

it('records compressed websocket messages decompressed', async () => {
  const server = createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } });
  sockets.on('connection', (socket) => {
    socket.on('message', (data: RawData) => socket.send(`back: ${data}`));
  });
  const { tap, authority, observed, until } = await interceptingTap(await listening(server));

  const secure = await securely(tap.port, 'chatgpt.com', authority);
  const client = new WebSocket('wss://chatgpt.com/backend-api/codex/responses', {
    perMessageDeflate: { threshold: 0 },
    createConnection: () => secure,
    headers: { 'session-id': 's' },
  });
  await once(client, 'open');
  client.send('{"type":"response.create"}');
  await until('message', 2);
  client.terminate();
  await until('end');
  expect(observed).toMatchObject([
    { type: 'connection', authority: 'chatgpt.com' },
    { type: 'request', exchange: 1, head: { target: '/backend-api/codex/responses' } },
    { type: 'response', exchange: 1, head: { status: 101 } },
    {
      type: 'message',
      exchange: 1,
      from: 'client',
      message: { payload: Buffer.from('{"type":"response.create"}'), compressed: true },
    },
    {
      type: 'message',
      exchange: 1,
      from: 'backend',
      message: { payload: Buffer.from('back: {"type":"response.create"}'), compressed: true },
    },
    { type: 'end', by: 'client' },
  ]);
});

it('tunnels other hosts unchanged and unobserved', async () => {
  const port = await backend((socket) => socket.pipe(socket));
  const { tap, observed } = await interceptingTap(await closedPort(), { onOtherHost: 'tunnel' });
  const { socket, response } = await tunnelled(tap.port, `127.0.0.1:${port}`);
  expect(response).toMatch(/^HTTP\/1\.1 200 /);
  const bytes = randomBytes(100_000);
  socket.end(bytes);
  expect((await everything(socket)).equals(bytes)).toBe(true);
  expect(observed).toEqual([]);
});

it('refuses other hosts when configured to', async () => {
  const reached: Socket[] = [];
  const port = await backend((socket) => void reached.push(socket));
  const { tap } = await interceptingTap(port);
  const { response } = await tunnelled(tap.port, `127.0.0.1:${port}`);
  expect(response).toMatch(/^HTTP\/1\.1 502 .*127\.0\.0\.1 is not a host/s);
  expect(reached).toEqual([]);
});

it('intercepts the configured hosts instead of the default ones', async () => {
  const port = await backend(() => {});
  const { tap, authority, observed } = await interceptingTap(port, { hosts: ['*.example.com'] });
  await securely(tap.port, 'api.example.com', authority);
  expect((await tunnelled(tap.port, 'chatgpt.com:443')).response).toMatch(/^HTTP\/1\.1 502 /);
  expect(observed).toMatchObject([{ type: 'connection', authority: 'api.example.com' }]);
});

it('responds with 502 when the backend refuses the connection', async () => {
  const { tap } = await interceptingTap(await closedPort());
  const { socket, response } = await tunnelled(tap.port, 'chatgpt.com:443');
  expect(response).toMatch(/^HTTP\/1\.1 502 .*chatgpt\.com cannot be reached.*ECONNREFUSED/s);
  await once(socket.resume(), 'end');
});

it('forwards bytes sent right after the CONNECT request', async () => {
  const port = await backend((socket) => {
    socket.once('data', () => socket.end('answer'));
  });
  const { tap } = await interceptingTap(await closedPort(), { onOtherHost: 'tunnel' });
  const socket = await connected(tap.port);
  socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\n\r\nearly`);
  await once(socket, 'data');
  expect(String(await everything(socket))).toBe('answer');
});

it('responds with 405 to requests other than CONNECT', async () => {
  const { tap } = await interceptingTap(await closedPort());
  const response = await fetch(tap.url);
  expect(response.status).toBe(405);
  expect(await response.text()).toMatch(/accepts only CONNECT requests/);
});

it('passes a backend reset on to the TLS client', async () => {
  const port = await backend((socket) => {
    socket.once('data', () => socket.resetAndDestroy());
  });
  const { tap, authority, observed } = await interceptingTap(port);
  const client = await securely(tap.port, 'chatgpt.com', authority);
  client.write('GET / HTTP/1.1\r\n\r\n');
  const failure = await new Promise((resolve) => client.resume().on('error', resolve));
  expect(failure).toMatchObject({ code: 'ECONNRESET' });
  expect(observed.at(-1)).toEqual({ type: 'end', connection: 1, by: 'backend' });
});

it('verifies the real host and rejects an untrusted one', async () => {
  const foreign = await temporaryAuthority();
  const server = createTlsServer({
    SNICallback: (name, done) => void foreign.contextFor(name).then((context) => done(null, context)),
  });
  server.on('secureConnection', (socket) => {
    socket.on('data', () =>
      socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 0\r\nalpn: ${socket.alpnProtocol}\r\n\r\n`),
    );
  });
  const port = await listening(server);
  const problems: string[] = [];
  const { tap, authority } = await interceptingTap(0, {
    ...{ upstream: { kind: 'real' }, hosts: ['localhost'] },
    onProblem: (problem) => problems.push(problem),
  });
  const refused = await tunnelled(tap.port, `localhost:${port}`);
  const client = connectTls({ socket: refused.socket, servername: 'localhost', ca: authority.certificate });
  await expect(once(client, 'secureConnect')).rejects.toThrow();
  expect(problems).toEqual([expect.stringMatching(/^the certificate of localhost is not valid: /)]);

  trust(foreign.certificate);
  const accepted = await tunnelled(tap.port, `localhost:${port}`);
  const trusting = connectTls({
    socket: accepted.socket,
    servername: 'localhost',
    ca: authority.certificate,
  });
  onTestFinished(() => void trusting.destroy());
  await once(trusting, 'secureConnect');
  await setImmediate();
  expect(authority.certificate).not.toBe(foreign.certificate);
});

/** Node's HTTP/2 through the tap, over TLS. */
async function overHttp2(tapPort: number, host: string, authority: CertificateAuthority, protocols = ['h2']) {
  const { socket } = await tunnelled(tapPort, host);
  const secure = connectTls({
    ...{ socket, servername: host.replace(/:.*/, ''), ca: authority.certificate },
    ALPNProtocols: protocols,
  });
  const client = connectHttp2(`https://${host}`, { createConnection: () => secure });
  client.on('error', () => {});
  onTestFinished(() => client.destroy());
  return client;
}

it('lets client and real host agree on HTTP/2, and passes it on', async () => {
  const foreign = await temporaryAuthority();
  trust(foreign.certificate);
  const seen: string[] = [];
  const server = createHttp2Server(
    {
      allowHTTP1: true,
      SNICallback: (name, done) => void foreign.contextFor(name).then((context) => done(null, context)),
    },
    (request, response) => {
      seen.push(request.httpVersion);
      response.end('hello');
    },
  );
  const port = await listening(server);
  const { tap, authority, observed, until } = await interceptingTap(0, {
    upstream: { kind: 'real' },
    hosts: ['localhost'],
  });
  const client = await overHttp2(tap.port, `localhost:${port}`, authority, ['h2', 'http/1.1']);
  const stream = client.request({ ':path': '/models' });
  expect(String(await everything(stream))).toBe('hello');
  await until('body');
  client.close();
  const { socket } = await tunnelled(tap.port, `localhost:${port}`);
  const old = connectTls({ socket, servername: 'localhost', ca: authority.certificate });
  old.end('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
  expect(String(await everything(old))).toContain('hello');
  expect(seen).toEqual(['2.0', '1.1']);
  const connections = observed.flatMap((event) => (event.type === 'connection' ? [event.tls] : []));
  expect(connections).toMatchObject([
    { offered: ['h2', 'http/1.1'], chosen: 'h2' },
    { offered: [], chosen: null },
  ]);
  const requests = observed.flatMap((event) => (event.type === 'request' ? [event.head] : []));
  expect(requests).toMatchObject([{ target: '/models', version: '2' }, { version: '1.1' }]);
});

it.each([
  ['h2', ['http/1.1', 'h2'], true],
  ['http/1.1', ['http/1.1', 'h2'], false],
  ['http/1.1', ['http/1.1'], true],
])(
  'chooses %s where the client offers %j and the backend speaks HTTP/2: %s',
  async (chosen, offered, http2) => {
    const upstream = {
      kind: 'fixed',
      host: '127.0.0.1',
      port: await backend(() => {}),
      tls: false,
      http2,
    } as const;
    const { tap, authority } = await interceptingTap(0, { upstream });
    const client = await securely(tap.port, 'chatgpt.com', authority, { ALPNProtocols: offered });
    expect(client.alpnProtocol).toBe(chosen);
  },
);

it('goes on after broken HTTP/2', async () => {
  const port = await backend((socket) => void socket.resume());
  const upstream = { kind: 'fixed', host: '127.0.0.1', port, tls: false, http2: true } as const;
  const { tap, authority, observed, until } = await interceptingTap(0, { upstream });
  for (const [, bytes] of hostile) {
    const client = await securely(tap.port, 'chatgpt.com', authority, { ALPNProtocols: ['h2'] });
    client.end(Buffer.concat([preface, bytes]));
  }
  await until('end', hostile.length);
  const ends = observed.filter(({ type }) => type === 'undecodable' || type === 'end');
  expect(ends.filter(({ type }) => type === 'undecodable')).toHaveLength(5);
  expect(observed.length).toBeLessThan(5000);
});

it('closes everything when closed', async () => {
  const ended: Promise<unknown>[] = [];
  const port = await backend((socket) => void ended.push(closed(socket.resume())));
  const authority = await temporaryAuthority();
  const upstream = { kind: 'fixed', host: '127.0.0.1', port, tls: false } as const;
  const { observe, observed, until } = observing();
  const tap = await startInterceptingTap({ authority, upstream, observe });
  const client = await securely(tap.port, 'chatgpt.com', authority);
  const gone = closed(client.resume());
  await until('connection');
  await tap.close();
  await Promise.all([gone, ...ended]);
  expect(observed.map(({ type }) => type)).toEqual(['connection']);
});

it('rejects a port that is in use', async () => {
  const port = await backend(() => {});
  const starting = interceptingTap(port, { port });
  await expect(starting).rejects.toMatchObject({ code: 'port-in-use' });
});

it('lets the process end when it is closed while a client ends its connection', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tap-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const program = join(import.meta.dirname, 'close-at-the-end.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [program, folder], { timeout: 20_000 });
  expect(stdout).toBe('closed\n');
});
