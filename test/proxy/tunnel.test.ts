import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { deflateRawSync, zstdCompressSync } from 'node:zlib';
import { expect, it, vi } from 'vitest';
import { lineLogger } from '../../src/proxy/log.ts';
import { startProxy } from '../../src/proxy/server.ts';
import { pairHeaders } from '../../src/wire/headers.ts';
import { encodeFrame } from '../../src/wire/websocket-frame.ts';
import {
  accept,
  connectRaw,
  expectBytes,
  type RawEnd,
  startRawBackend,
  upgradeHead,
} from './raw-websocket.ts';
import { trustedCertificate } from './secure-backend.ts';
import {
  fastRetries,
  hello,
  listen,
  metric,
  openWebSocket,
  post,
  proxyTo,
  receiveResponse,
  refusedUpgrade,
  refusedWith,
  responseEvents,
  shape,
  startTestBackend,
  tunnelled,
} from './setup.ts';

const mask = Buffer.from('01020304', 'hex');
const text = (payload: string | Buffer, more: object = {}) =>
  encodeFrame({ opcode: 'text', payload: Buffer.from(payload), ...more });
const request1 = '{"type":"response.create","model":"m","input":[]}';
const offer =
  'Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_max_window_bits=10';

/** Opens a tunnel with raw sockets at both ends. */
async function openRaw(
  headers: Readonly<Record<string, string>> = tunnelled,
  lines = [offer],
  answer: readonly string[] = [],
) {
  const backend = await startRawBackend(accept(answer));
  const origin = await proxyTo(backend.url);
  const client = await connectRaw(origin, upgradeHead(headers, lines));
  await expect.poll(client.head).toContain('101');
  const [end] = backend.ends;
  if (end === undefined) throw new Error('the backend has no connection');
  return { origin, client, backend: end };
}

/** Writes one byte after the other, so that frames are split everywhere. */
async function writeSlowly({ socket }: RawEnd, bytes: Buffer): Promise<void> {
  socket.setNoDelay(true);
  for (const byte of bytes) {
    socket.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const compressed = (content: string) => deflateRawSync(content, { finishFlush: 2 }).subarray(0, -4);

/** A fragmented, compressed message with a ping inside it, lengths in a longer form than needed, an empty frame, a pong, a close. */
function clientBytes(): Buffer {
  const packed = compressed(request1);
  return Buffer.concat([
    text(packed.subarray(0, 5), { mask, fin: false, rsv1: true }),
    encodeFrame({ opcode: 'ping', payload: Buffer.from('in between'), mask }),
    encodeFrame({ opcode: 'continuation', payload: packed.subarray(5), mask, fin: true }),
    Buffer.from('81fe0001', 'hex'),
    mask,
    Buffer.of(0x7a ^ 1),
    text('', { mask }),
    encodeFrame({ opcode: 'pong', payload: Buffer.from('unasked'), mask }),
    encodeFrame({ opcode: 'binary', payload: Buffer.from('bytes'), mask }),
    encodeFrame({ opcode: 'close', payload: Buffer.from('10e1627965', 'hex'), mask }),
  ]);
}

function backendBytes(): Buffer {
  const packed = compressed(responseEvents('OK', 'resp_1')[0] ?? '');
  return Buffer.concat([
    encodeFrame({ opcode: 'ping', payload: Buffer.from('of the backend') }),
    text(packed.subarray(0, 7), { fin: false, rsv1: true }),
    encodeFrame({ opcode: 'continuation', payload: packed.subarray(7), fin: false }),
    encodeFrame({ opcode: 'continuation', payload: Buffer.alloc(0) }),
    text('not json'),
    Buffer.from('827e00016a', 'hex'),
    encodeFrame({ opcode: 'close', payload: Buffer.from('11a5676f6e65', 'hex') }),
  ]);
}

it.each([
  { client: "of the golden's version", headers: tunnelled },
  { client: 'of another version', headers: { ...tunnelled, version: '0.200.0', 'x-new': 'kept' } },
])(
  'passes on frames, fragments, compression, pings and close codes of a client $client as they are',
  async ({ headers }) => {
    const extensions =
      'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10; client_no_context_takeover';
    const { origin, client, backend } = await openRaw(
      headers,
      [offer],
      [extensions, 'x-Turn-State: of the backend'],
    );
    expect(client.head().split('\r\n')).toEqual([
      'HTTP/1.1 101 Switched By Test',
      'uPGRADE: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      extensions,
      'x-Turn-State: of the backend',
    ]);
    expect(backend.head()).toContain(
      `\r\n${headers === tunnelled ? offer.replace('Sec-WebSocket-Extensions', 'sec-websocket-extensions') : offer}`,
    );
    expect(await metric(origin, 'tunnels_total')).toBe(1);
    await writeSlowly(client, clientBytes());
    await expectBytes(backend, clientBytes());
    await writeSlowly(backend, backendBytes());
    await expectBytes(client, backendBytes());
  },
);

it("sends the handshake in the golden's order, with the client's values and the proxy's sign-in", async () => {
  const shuffled = Object.fromEntries(
    Object.entries({ ...tunnelled, 'x-forwarded-for': '10.0.0.1' }).reverse(),
  );
  const { backend } = await openRaw(shuffled);
  const host = /^Host: (.*)$/m.exec(backend.head())?.[1] ?? '';
  expect(host).toMatch(/^127\.0\.0\.1:\d+\r?$/);
  expect(backend.head().split('\r\n')).toEqual([
    'GET /backend-api/codex/responses HTTP/1.1',
    `Host: ${host.trim()}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'chatgpt-account-id: the-account',
    'authorization: Bearer the-token',
    `user-agent: ${tunnelled['user-agent']}`,
    'originator: codex_exec',
    'openai-beta: responses_websockets=2026-02-06',
    'version: 0.169.0',
    'x-openai-account-routing-override: us',
    'x-codex-beta-features: a_feature',
    `x-client-request-id: ${tunnelled['x-client-request-id']}`,
    `session-id: ${tunnelled['session-id']}`,
    `thread-id: ${tunnelled['thread-id']}`,
    `x-codex-window-id: ${tunnelled['x-codex-window-id']}`,
    'x-codex-turn-metadata: {"a":"text of the client"}',
    'x-codex-routing-hint: model=m',
    `sec-websocket-extensions: ${offer.replace('Sec-WebSocket-Extensions: ', '')}`,
  ]);
});

it('keeps the order of a client of another version, and what it knows and the golden does not', async () => {
  const { backend } = await openRaw({
    'x-new': 'kept',
    ...tunnelled,
    version: '0.200.0',
    'keep-alive': 'timeout=5',
    'proxy-authorization': 'Basic x',
    te: 'trailers',
  });
  const names = backend
    .head()
    .split('\r\n')
    .slice(1)
    .map((line) => line.replace(/:.*/, ''));
  expect(names).toEqual([
    ...['Host', 'Connection', 'Upgrade', 'Sec-WebSocket-Version', 'Sec-WebSocket-Key', 'x-new'],
    ...Object.keys(tunnelled),
    'Sec-WebSocket-Extensions',
  ]);
  expect(backend.head()).toContain('\r\nauthorization: Bearer the-token\r\n');
  expect(backend.head()).toContain('\r\nchatgpt-account-id: the-account\r\n');
  expect(backend.head()).not.toContain('of-the-client');
});

it.each([
  [
    'lacks a header of the golden',
    ({ 'x-codex-beta-features': _, ...headers }: Record<string, string>) => headers,
  ],
  [
    'names no version, as with another provider',
    ({ version: _, ...headers }: Record<string, string>) => headers,
  ],
  ['has no account', ({ 'chatgpt-account-id': _, ...headers }: Record<string, string>) => headers],
])('does not tunnel a client that %s', async (_, change) => {
  const backend = await startTestBackend();
  const origin = await proxyTo(backend.url);
  const client = await openWebSocket(`${origin}/v1/responses`, change(tunnelled));
  client.send(request1);
  expect((await receiveResponse(client)).at(-1)).toContain('response.completed');
  expect(await metric(origin, 'tunnels_total')).toBe(0);
  expect(backend.turns()[0]?.client_metadata).toBeDefined();
});

it('renews a sign-in whose token was refused with 401 at two upgrades, and uses the new one', async () => {
  const backend = await startTestBackend({
    upgrade: (count) => (count <= 2 ? refusedWith('401 Unauthorized') : undefined),
  });
  let accessToken = 'old';
  const signIn = () => ({ lane: 'chatgpt', websockets: true, accessToken, accountId: 'a' }) as const;
  const renew = vi.fn(async () => {
    accessToken = 'new';
    return signIn();
  });
  const url = `${await proxyTo(backend.url, { signIn, renew })}/v1/responses`;
  expect((await refusedUpgrade(url, tunnelled)).status).toBe(401);
  expect(renew).not.toHaveBeenCalled();
  expect((await refusedUpgrade(url, tunnelled)).status).toBe(401);
  await openWebSocket(url, tunnelled);
  expect(renew).toHaveBeenCalledOnce();
  expect(Object.fromEntries(backend.received.at(-1)?.headers ?? [])).toMatchObject({
    authorization: 'Bearer new',
  });
});

it.each([false, true])(
  'counts a turn as running from its request to its last event (compressed: %s)',
  async (deflate) => {
    const backend = await startTestBackend({
      message: (socket) => socket.send('{"type":"response.created"}'),
      deflate,
    });
    const origin = await proxyTo(backend.url);
    // The request for the metrics counts as running too.
    const running = async () => (await metric(origin, 'running_turns')) - 1;
    const client = await openWebSocket(`${origin}/v1/responses`, tunnelled);
    client.send('{"type":"response.interrupt"}');
    await once(client, 'message');
    expect(await running()).toBe(0);
    for (const last of ['response.completed', 'response.failed', 'response.incomplete', 'error']) {
      client.send(request1);
      await once(client, 'message');
      await expect.poll(running).toBe(1);
      for (const socket of backend.sockets.clients) {
        socket.send(`{"type":"response.output_text.delta","delta":"{\\"type\\":\\"${last}\\"}"}`);
        socket.send(`{"type":"${last}","response":{}}`);
      }
      await expect.poll(running).toBe(0);
    }
    client.send(request1);
    await expect.poll(running).toBe(1);
    client.terminate();
    await expect.poll(running).toBe(0);
  },
);

it('pings a silent client, and does not pass its pongs on; those for the backend it does', async () => {
  const backend = await startRawBackend();
  const origin = await proxyTo(backend.url, { limits: { ...fastRetries, ping: 500 } });
  const client = await connectRaw(origin, upgradeHead(tunnelled, [offer]));
  await expect.poll(() => client.rest().length).toBeGreaterThanOrEqual(10);
  const ping = client.rest().subarray(0, 10);
  expect(ping.subarray(0, 2).toString('hex')).toBe('8908');
  const pong = encodeFrame({ opcode: 'pong', payload: ping.subarray(2), mask });
  const others = [
    text('before', { mask }),
    encodeFrame({ opcode: 'pong', payload: Buffer.from('another'), mask }),
  ];
  client.socket.write(Buffer.concat([others[0] ?? pong, pong, others[1] ?? pong]));
  await expectBytes(backend.ends[0], Buffer.concat(others));
  // The next one arrives in parts.
  await expect.poll(() => client.rest().length).toBeGreaterThanOrEqual(20);
  const [end] = backend.ends;
  for (const byte of pong) {
    client.socket.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  client.socket.write(others[0] ?? pong);
  await expectBytes(end, Buffer.concat([...others, others[0] ?? pong]));
});

it.each([
  ['a second key', {}, ['Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']],
  ['another version', {}, ['Sec-WebSocket-Version: 8']],
  ['a body', {}, ['Content-Length: 4']],
  ['chunks', {}, ['Transfer-Encoding: chunked']],
  ['two protocols', {}, ['Upgrade: h2c']],
])('refuses a handshake with %s, and sends nothing upstream', async (_, headers, lines) => {
  const backend = await startRawBackend();
  const head = upgradeHead({ ...tunnelled, ...headers }, [offer, ...lines]);
  const client = await connectRaw(await proxyTo(backend.url), `${head}GET /secret HTTP/1.1\r\n\r\n`);
  await expect.poll(client.ending).toBeDefined();
  expect(client.head()).toMatch(/^HTTP\/1\.1 40\d /);
  expect(backend.ends).toEqual([]);
});

it.each([
  ['another key', accept([], () => 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=')],
  ['an extension that is not known', accept(['Sec-WebSocket-Extensions: x-mine'])],
  ['two extensions', accept(['Sec-WebSocket-Extensions: permessage-deflate, x-mine'])],
  ['a protocol that was not offered', accept(['Sec-WebSocket-Protocol: mine'])],
  [
    'another protocol',
    ({ socket }: RawEnd) =>
      void socket.write('HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
  ],
])('passes nothing on after a response of the backend with %s', async (_, respond) => {
  const backend = await startRawBackend(respond);
  const early = text('too early', { mask });
  const client = await connectRaw(
    await proxyTo(backend.url),
    Buffer.concat([Buffer.from(upgradeHead(tunnelled, [offer])), early]),
  );
  await expect.poll(client.ending).toBeDefined();
  expect(client.head()).toMatch(/^HTTP\/1\.1 502 /);
  expect(backend.ends[0]?.rest()).toHaveLength(0);
  await expect.poll(() => backend.ends[0]?.ending()).toBeDefined();
});

it('passes nothing on after a refusal, even if the client sends at once', async () => {
  const backend = await startRawBackend(({ socket }) => void socket.write(refusedWith('403 Forbidden')));
  const client = await connectRaw(
    await proxyTo(backend.url),
    `${upgradeHead(tunnelled, [offer])}GET /secret HTTP/1.1\r\nHost: x\r\n\r\n`,
  );
  await expect.poll(client.ending).toBeDefined();
  expect(client.head()).toMatch(/^HTTP\/1\.1 403 /);
  expect(backend.ends[0]?.rest()).toHaveLength(0);
});

it('passes on what the client and the backend sent before the tunnel was open', async () => {
  const early = text('early', { mask });
  const first = text('first');
  const backend = await startRawBackend((end) => {
    accept()(end);
    end.socket.write(first);
  });
  const client = await connectRaw(
    await proxyTo(backend.url),
    Buffer.concat([Buffer.from(upgradeHead(tunnelled, [offer])), early]),
  );
  await expectBytes(client, first);
  await expectBytes(backend.ends[0], early);
});

it.each([
  ['a request for another server', Buffer.from('GET /secret HTTP/1.1\r\n\r\n')],
  ['an unmasked frame', text('unmasked')],
  ['a compressed frame that was not negotiated', text('x', { mask, rsv1: true })],
])(
  'passes a good frame of the client on, ends both connections at %s, and does not pass it on',
  async (_, bad) => {
    const { client, backend } = await openRaw();
    const good = text('good', { mask });
    client.socket.write(good);
    await expectBytes(backend, good);
    client.socket.write(bad);
    await expect.poll(client.ending).toBeDefined();
    await expect.poll(backend.ending).toBeDefined();
    expect(backend.rest()).toHaveLength(good.length);
  },
);

it('ends both connections at a frame of the backend that is not valid', async () => {
  const { client, backend } = await openRaw();
  backend.socket.write(text('masked', { mask }));
  await expect.poll(client.ending).toBeDefined();
  await expect.poll(backend.ending).toBeDefined();
  expect(client.rest()).toHaveLength(0);
});

it.each(['end', 'destroy', 'resetAndDestroy'] as const)(
  'ends one connection when the other one does: %s',
  async (how) => {
    for (const left of ['client', 'backend'] as const) {
      const ends = await openRaw();
      ends[left].socket[how]();
      await expect.poll(ends[left === 'client' ? 'backend' : 'client'].ending).toBeDefined();
      await expect.poll(() => metric(ends.origin, 'clients')).toBe(1);
    }
  },
);

it('delivers what the backend sent before it ended, to a client that still sends', async () => {
  const { client, backend } = await openRaw();
  const sending = setInterval(() => client.socket.write(text('more', { mask })), 1);
  const last = Buffer.concat([
    text('x'.repeat(200_000)),
    encodeFrame({ opcode: 'close', payload: Buffer.of(3, 0xe8) }),
  ]);
  backend.socket.end(last);
  await expect.poll(client.ending).toBe('end');
  clearInterval(sending);
  expect(client.rest().equals(last)).toBe(true);
});

it('pauses a client whose backend does not read, and loses nothing', async () => {
  const { client, backend } = await openRaw();
  backend.socket.pause();
  const bytes = Buffer.concat(Array.from({ length: 512 }, () => text('x'.repeat(65_000), { mask })));
  client.socket.write(bytes);
  let before = -1;
  await expect
    .poll(
      () => {
        const isStill = client.socket.bytesWritten === before;
        before = client.socket.bytesWritten;
        return isStill && client.socket.writableLength > 0;
      },
      { interval: 200 },
    )
    .toBe(true);
  backend.socket.resume();
  await expect.poll(() => backend.rest().length).toBe(bytes.length);
  expect(backend.rest().equals(bytes)).toBe(true);
});

it.each(['http', 'https'])(
  'passes long responses over %s on to clients that read now and then, and mixes nothing up',
  async (protocol) => {
    const certificate = protocol === 'https' ? await trustedCertificate() : undefined;
    const backend = await startRawBackend(accept(), certificate);
    const origin = await proxyTo(backend.url);
    const connected = [1, 2, 3].map(() => connectRaw(origin, upgradeHead(tunnelled, [offer])));
    const clients = await Promise.all(connected);
    await expect.poll(() => clients.every(({ head }) => head().includes(' 101 '))).toBe(true);
    for (const { socket } of clients) {
      socket.on('data', () => {
        socket.pause();
        setTimeout(() => socket.resume(), 1);
      });
    }
    const frames = backend.ends.map(() =>
      Array.from({ length: 300 }, () =>
        encodeFrame({ opcode: 'binary', payload: randomBytes(randomInt(50_000)) }),
      ),
    );
    for (const n of frames[0]?.keys() ?? []) {
      for (const [index, { socket }] of backend.ends.entries()) socket.write(frames[index]?.[n] ?? '');
      if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const sent = frames.map((all) => Buffer.concat(all));
    const received = () => clients.map(({ rest }) => rest());
    const lengthOf = (all: readonly Buffer[]) => all.reduce((sum, { length }) => sum + length, 0);
    await expect.poll(() => lengthOf(received())).toBe(lengthOf(sent));
    expect(received().every((bytes) => sent.some((one) => one.equals(bytes)))).toBe(true);
  },
);

it.each([
  { where: 'within a frame', sent: text('x'.repeat(1000)).subarray(0, 500), ending: '' },
  { where: 'within a message', sent: text('{"type":', { fin: false }), ending: '880203f4' },
  {
    where: 'between messages',
    sent: text('{"type":"response.created"}'),
    ending: '{"type":"error","status":503,',
  },
])('ends a turn that the end of grace cuts $where as the frames allow', async ({ sent, ending }) => {
  const backend = await startRawBackend();
  const proxy = await startProxy({
    shape,
    signIn: () => ({ lane: 'chatgpt', websockets: true, accessToken: 'the-token', accountId: 'the-account' }),
    upstream: backend.url,
    port: 0,
    log: lineLogger(() => {}),
  });
  const client = await connectRaw(`http://127.0.0.1:${proxy.port}`, upgradeHead(tunnelled, [offer]));
  client.socket.write(text(request1, { mask }));
  await expect.poll(() => backend.ends[0]?.rest().length).toBeGreaterThan(0);
  backend.ends[0]?.socket.write(sent);
  await expectBytes(client, sent);
  await proxy.close({ grace: 50 });
  await expect.poll(client.ending).toBeDefined();
  const added = client.rest().subarray(sent.length);
  if (ending.startsWith('{')) expect(String(added)).toContain(ending);
  else expect(added.toString('hex')).toBe(ending);
});

/** Posts a packed body. Resolves to the response and its body. */
async function postPacked(origin: string, headers: Readonly<Record<string, string>>, body: Buffer) {
  const sent = request(`${origin}/backend-api/codex/responses`, {
    method: 'POST',
    headers: { ...headers, 'content-length': String(body.length) },
  }).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { response, body: await buffer(response) };
}

const tunnelledPost = {
  ...tunnelled,
  accept: 'text/event-stream',
  'content-encoding': 'zstd',
  'content-type': 'application/json',
};

it.each([
  { client: "of the golden's version", headers: tunnelledPost },
  { client: 'of another version', headers: { ...tunnelledPost, version: '0.200.0' } },
])(
  'sends the packed POST of a client $client as it came, and streams the response as it comes',
  async ({ headers }) => {
    const received: { headers: string[]; body: Buffer }[] = [];
    const server = createServer(async (message, response) => {
      received.push({ headers: message.rawHeaders, body: await buffer(message) });
      response.writeHead(200, 'Fine', ['Content-Type', 'text/event-stream', 'X-Of-Backend', 'Yes']);
      response.end('data: {"a" :1}\n\nnot an event');
    });
    const url = new URL(`http://127.0.0.1:${await listen(server)}/backend-api/codex`);
    const origin = await proxyTo(url);
    // Spelling and compression are not the proxy's own.
    const packed = zstdCompressSync(Buffer.from('{ "model" : "m", "x":1.0 , "input":[] }'), {
      params: { 100: 19 },
    });
    const { response, body } = await postPacked(origin, headers, packed);
    expect(received[0]?.body.equals(packed)).toBe(true);
    expect([response.statusCode, response.statusMessage, response.headers['x-of-backend']]).toEqual([
      200,
      'Fine',
      'Yes',
    ]);
    expect(String(body)).toBe('data: {"a" :1}\n\nnot an event');
    const sent = Object.fromEntries(pairHeaders(received[0]?.headers ?? []));
    expect(sent).toMatchObject({
      authorization: 'Bearer the-token',
      'chatgpt-account-id': 'the-account',
      'x-codex-turn-metadata': tunnelled['x-codex-turn-metadata'],
      'content-length': String(packed.length),
    });
    expect(await metric(origin, 'tunnels_total')).toBe(1);
    server.close();
  },
);

it('marks the sign-in of a tunnelled POST that is refused with 401', async () => {
  const backend = await startTestBackend({ post: (response) => void response.writeHead(401).end('{}') });
  const renew = vi.fn(() => Promise.reject(new Error('no')));
  const origin = await proxyTo(backend.url, { renew });
  const headers = { ...tunnelled, version: '0.200.0' };
  for (const _ of [1, 2]) expect((await post(`${origin}/v1/responses`, hello, headers)).status).toBe(401);
  expect(renew).toHaveBeenCalledOnce();
  expect(await metric(origin, 'tunnels_total')).toBe(2);
});
