import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Stream, type Settings } from 'node:http2';
import { connect, createServer as createTcpServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { RawHttp2Connection, type RawHttp2Request } from '../../src/client/replay/raw-http2-connection.ts';
import type { ReceivedEvent } from '../../src/client/replay/received-events.ts';
import { ConnectionDecoder } from '../../src/tap/connection-decoder.ts';
import type { Observation } from '../../src/trace/observation.ts';

const choices: RawHttp2Request['http2'] = {
  settings: [
    ['MAX_FRAME_SIZE', 32_768],
    ['ENABLE_PUSH', 0],
    ['INITIAL_WINDOW_SIZE', 70_000],
  ],
  window: 12_345,
  pseudo: [':path', ':method', ':authority', ':scheme'],
  authority: 'example.com',
  priority: { exclusive: true, dependsOn: 0, weight: 201 },
};

const request: RawHttp2Request = {
  method: 'POST',
  target: '/responses',
  scheme: 'https',
  headers: [
    ['x-long', 'x'.repeat(40_000)],
    ['accept', '*/*'],
  ],
  body: Buffer.alloc(150_000, 'a'),
  http2: choices,
};

function serve(settings: Settings, onStream: (stream: ServerHttp2Stream) => void): Http2Server {
  const server = createServer({ settings: { ...settings, maxHeaderListSize: 100_000 } });
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    onStream(stream);
  });
  server.on('sessionError', () => {});
  server.listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  return server;
}

function portOf(server: { address(): string | { port: number } | null }): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Sends a request through a tap. Returns the connection, and what the tap observes. */
async function sent(server: Http2Server, changes: Partial<RawHttp2Request> = {}) {
  if (!server.listening) await once(server, 'listening');
  const observed: Observation[] = [];
  let exchanges = 0;
  const tap = createTcpServer((client) => {
    const observe = (observation: Observation) => observed.push(observation);
    const decoder = new ConnectionDecoder({ connection: 1, observe, nextExchange: () => ++exchanges });
    const backend = connect(portOf(server), '127.0.0.1');
    client
      .on('error', () => {})
      .on('data', (bytes: Buffer) => {
        decoder.onData('client', bytes);
        backend.write(bytes);
      });
    backend
      .on('error', () => {})
      .on('data', (bytes: Buffer) => {
        decoder.onData('backend', bytes);
        client.write(bytes);
      });
    client.on('close', () => backend.destroy());
    backend.on('close', () => client.destroy());
  });
  tap.listen(0, '127.0.0.1');
  await once(tap, 'listening');
  onTestFinished(() => void tap.close());
  const connection = new RawHttp2Connection('127.0.0.1', portOf(tap));
  onTestFinished(() => connection.destroy());
  connection.request({ ...request, ...changes });
  return { connection, observed };
}

async function untilBody(connection: RawHttp2Connection): Promise<ReceivedEvent[]> {
  const events: ReceivedEvent[] = [];
  for (;;) {
    const event = await connection.next();
    events.push(event);
    if (event.type === 'body' || event.type === 'end') return events;
  }
}

it('sends what the request says: settings, window, pseudo-headers, priority, frames and trailers', async () => {
  const server = serve({}, async (stream) => {
    const { length } = await buffer(stream);
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
    stream.end(`data: ${length}\n\n`);
  });
  const trailers = [['checksum', '1']] as const;
  const { connection, observed } = await sent(server, { largestFrame: 5000, endsEmpty: true, trailers });
  expect(await untilBody(connection)).toMatchObject([
    { type: 'response', head: { status: 200, version: '2' } },
    { type: 'event', data: '150000' },
    { type: 'body' },
  ]);
  expect(observed).toMatchObject([
    {
      type: 'request',
      head: { method: 'POST', target: '/responses', http2: choices, headers: request.headers },
    },
    { type: 'body', from: 'client', complete: true, largestFrame: 5000, endsEmpty: true, trailers },
    { type: 'response' },
    { type: 'body', from: 'backend', complete: true },
  ]);
});

it('sends no more than the other side accepts', async () => {
  const server = serve({ initialWindowSize: 1000 }, async (stream) => {
    const { length } = await buffer(stream);
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
    stream.end(`data: ${length}\n\n`);
  });
  const { connection } = await sent(server);
  expect(await untilBody(connection)).toContainEqual({ type: 'event', data: '150000' });
});

it('takes a response that is longer than its window', async () => {
  const long = 'b'.repeat(300_000);
  const server = serve({}, (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
    stream.end(`data: ${long}\n\n`);
    stream.resume();
  });
  const { connection } = await sent(server);
  expect(await untilBody(connection)).toContainEqual({ type: 'event', data: long });
});

it('takes a reset for the end of its connection, and resets a response that it does not need', async () => {
  const cutting = serve({}, (stream) => {
    stream.respond({ ':status': 200 });
    stream.resume().on('end', () => stream.destroy(new Error('cut off')));
  });
  const cut = await sent(cutting);
  expect((await untilBody(cut.connection)).at(-1)).toEqual({ type: 'body' });
  expect(await cut.connection.next()).toEqual({ type: 'end' });

  const refusing = serve({}, (stream) => stream.resume().on('end', () => stream.session?.destroy()));
  expect(await untilBody((await sent(refusing)).connection)).toEqual([{ type: 'end' }]);

  const holding = serve({}, (stream) => {
    stream.respond({ ':status': 200 });
    stream.resume().write('begun');
  });
  const held = await sent(holding);
  expect(await held.connection.next()).toMatchObject({ type: 'response' });
  held.connection.destroy();
  await expect
    .poll(() => held.observed.map((one) => ('code' in one ? [one.type, one.code] : one.type)))
    .toEqual(
      expect.arrayContaining([
        ['reset', 'CANCEL'],
        ['goaway', 'NO_ERROR'],
      ]),
    );
});
