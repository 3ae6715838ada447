import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { startReverseTap } from '../../src/tap/reverse.ts';
import {
  backend,
  closed,
  closedPort,
  closing,
  connected,
  everything,
  inRandomChunks,
  observing,
} from './local.ts';

async function reverseTap(port: number) {
  const watch = observing();
  const tap = closing(
    await startReverseTap({ upstream: { host: '127.0.0.1', port }, observe: watch.observe }),
  );
  return { tap, ...watch };
}

it('passes 5 MB each way unchanged, in random chunks', async () => {
  const received: Promise<Buffer>[] = [];
  const response = randomBytes(5_000_000);
  const port = await backend((socket) => {
    received.push(everything(socket));
    socket.end(response);
  });
  const { tap } = await reverseTap(port);
  const client = await connected(tap.port);
  const request = randomBytes(5_000_000);
  for (const chunk of inRandomChunks(request)) client.write(chunk);
  client.end();
  expect((await everything(client)).equals(response)).toBe(true);
  expect((await received[0])?.equals(request)).toBe(true);
});

it('records headers in order, with case and duplicates', async () => {
  const port = await backend((socket) => {
    socket.once('data', () =>
      socket.write(
        'HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nx-B: 1\r\nset-cookie: b\r\ncontent-length: 0\r\n\r\n',
      ),
    );
  });
  const { tap, observed, until } = await reverseTap(port);
  const client = await connected(tap.port);
  client.write('GET /a HTTP/1.1\r\nversion: 0.169.0\r\nHost: me\r\nX-A: 1\r\nx-a: 2\r\n\r\n');
  await until('response');
  expect(observed).toEqual([
    { type: 'connection', connection: 1, authority: `127.0.0.1:${tap.port}`, tls: null },
    {
      type: 'request',
      connection: 1,
      exchange: 1,
      head: {
        method: 'GET',
        target: '/a',
        version: '1.1',
        headers: [
          ['version', '0.169.0'],
          ['Host', 'me'],
          ['X-A', '1'],
          ['x-a', '2'],
        ],
      },
    },
    {
      type: 'response',
      exchange: 1,
      head: {
        status: 200,
        reason: 'OK',
        version: '1.1',
        headers: [
          ['Set-Cookie', 'a'],
          ['x-B', '1'],
          ['set-cookie', 'b'],
          ['content-length', '0'],
        ],
      },
    },
  ]);
});

it.each([
  ['with context takeover', {}],
  ['without context takeover', { serverNoContextTakeover: true, clientNoContextTakeover: true }],
  ['in a window of 512 bytes', { serverMaxWindowBits: 9, clientMaxWindowBits: 9 }],
])('records compressed websocket messages decompressed, %s', async (_, deflate) => {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate: { ...deflate, threshold: 0 },
  });
  await once(server, 'listening');
  server.on('connection', (socket) => {
    socket.on('message', (data: RawData) => socket.send(`back: ${data}`));
  });
  const address = server.address();
  const { tap, observed, until } = await reverseTap(
    typeof address === 'object' && address ? address.port : 0,
  );

  const client = new WebSocket(tap.url.replace('http', 'ws'), { perMessageDeflate: { threshold: 0 } });
  await once(client, 'open');
  const sent = Array.from(
    { length: 50 },
    (__, turn) => `{"turn":${turn},"text":"${'again and '.repeat(turn * 40)}"}`,
  );
  for (const text of sent) client.send(text);
  await until('message', 100);
  client.close(1000, 'done');
  await until('end');
  server.close();

  const messages = observed.filter((observation) => observation.type === 'message');
  const of = (side: string) => messages.filter(({ from }) => from === side).map(({ message }) => message);
  const text = (payload: string) => ({
    opcode: 'text',
    payload: Buffer.from(payload),
    compressed: true,
    fragments: 1,
  });
  const close = {
    opcode: 'close',
    payload: Buffer.from('\x03\xe8done', 'latin1'),
    compressed: false,
    fragments: 1,
  };
  expect(of('client')).toEqual([...sent.map(text), close]);
  expect(of('backend').slice(0, -1)).toEqual(sent.map((payload) => text(`back: ${payload}`)));
  expect(observed.filter(({ type }) => type === 'undecodable')).toEqual([]);
});

it('passes undecodable bytes through and records one undecodable event', async () => {
  const port = await backend((socket) => socket.pipe(socket));
  const { tap, observed, until } = await reverseTap(port);
  const client = await connected(tap.port);
  const garbage = Buffer.concat([Buffer.of(0, 1, 2), randomBytes(100_000)]);
  client.end(garbage);
  expect((await everything(client)).equals(garbage)).toBe(true);
  await until('end');
  expect(observed.slice(1)).toEqual([
    { type: 'undecodable', connection: 1, from: 'client', reason: 'the bytes are not HTTP/1.1' },
    { type: 'end', connection: 1, by: 'client' },
  ]);
});

it('lets the backend continue after the client ended its half', async () => {
  const port = await backend((socket) => {
    socket.resume().on('end', () => socket.end('sent after the end'));
  });
  const { tap } = await reverseTap(port);
  const client = await connected(tap.port);
  client.end('GET / HTTP/1.0\r\n\r\n');
  expect(String(await everything(client))).toBe('sent after the end');
});

it('slows down a backend whose client does not read', async () => {
  // Zeros would be millions of frames of HTTP/2.
  const part = Buffer.alloc(1024 * 1024, 'x');
  const size = 64 * part.length;
  let taken = 0;
  const port = await backend((socket) => {
    const send = () => {
      socket.write(part, () => {
        taken += part.length;
        if (taken < size) send();
      });
    };
    send();
  });
  const { tap } = await reverseTap(port);
  const client = await connected(tap.port);
  client.pause();
  // A tap that keeps reading takes everything. One that stops takes only what the socket buffers hold.
  for (let before = -1; before < taken; ) {
    before = taken;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  expect(taken).toBeLessThan(size / 2);
  let read = 0;
  client.on('data', (bytes: Buffer) => {
    read += bytes.length;
    if (read === size) client.destroy();
  });
  await closed(client.resume());
  expect(read).toBe(size);
});

it('passes a client reset on and records which side did it', async () => {
  const failed = Promise.withResolvers<Error>();
  const port = await backend((socket) => {
    socket.resume().on('error', failed.resolve);
  });
  const { tap, observed, until } = await reverseTap(port);
  const client = await connected(tap.port);
  client.write('GET / HTTP/1.1\r\n\r\n');
  await until('request');
  client.resetAndDestroy();
  expect(await failed.promise).toMatchObject({ code: 'ECONNRESET' });
  expect(observed.at(-1)).toEqual({ type: 'end', connection: 1, by: 'client' });
});

it('passes a backend reset on and records which side did it', async () => {
  const port = await backend((socket) => {
    socket.once('data', () => socket.resetAndDestroy());
  });
  const { tap, observed } = await reverseTap(port);
  const client = await connected(tap.port);
  client.write('GET / HTTP/1.1\r\n\r\n');
  const [error] = await once(client.resume(), 'error', { signal: AbortSignal.timeout(60_000) }).catch(
    (failure: Error) => [failure],
  );
  expect(error).toMatchObject({ code: 'ECONNRESET' });
  expect(observed.at(-1)).toEqual({ type: 'end', connection: 1, by: 'backend' });
});

it('closes a client connection whose backend refuses the connection', async () => {
  const { tap, observed, until } = await reverseTap(await closedPort());
  const client = await connected(tap.port);
  expect(await everything(client)).toHaveLength(0);
  await until('end');
  expect(observed).toEqual([
    { type: 'connection', connection: 1, authority: `127.0.0.1:${tap.port}`, tls: null },
    { type: 'end', connection: 1, by: 'backend' },
  ]);
});

it('numbers connections and exchanges across the tap', async () => {
  const port = await backend((socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 204 No Content\r\n\r\n'));
  });
  const { tap, observed, until } = await reverseTap(port);
  for (const count of [1, 2]) {
    const client = await connected(tap.port);
    client.write('GET / HTTP/1.1\r\n\r\n');
    await until('response', count);
  }
  expect(observed.filter(({ type }) => type === 'request')).toMatchObject([
    { connection: 1, exchange: 1 },
    { connection: 2, exchange: 2 },
  ]);
});

it('records the configured authority', async () => {
  const port = await backend(() => {});
  const watch = observing();
  const upstream = { host: '127.0.0.1', port };
  const tap = closing(await startReverseTap({ upstream, observe: watch.observe, authority: 'chatgpt.com' }));
  await connected(tap.port);
  await watch.until('connection');
  expect(watch.observed).toMatchObject([{ authority: 'chatgpt.com' }]);
});

it('rejects a port that is in use', async () => {
  const port = await backend(() => {});
  const starting = startReverseTap({ upstream: { host: '127.0.0.1', port }, observe: () => {}, port });
  await expect(starting).rejects.toMatchObject({ code: 'port-in-use', message: new RegExp(String(port)) });
});

it('closes everything when closed in the middle of an exchange', async () => {
  const port = await backend((socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\nhalf'));
  });
  const { observed, observe, until } = observing();
  const tap = await startReverseTap({ upstream: { host: '127.0.0.1', port }, observe });
  const client = await connected(tap.port);
  const gone = closed(client.resume());
  client.write('GET / HTTP/1.1\r\n\r\n');
  await until('response');
  await tap.close();
  await gone;
  expect(observed.at(-1)).toMatchObject({ type: 'body', complete: false });
  await expect(connected(tap.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});
