import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { listenLocally } from '../../src/listening.ts';
import { textOf } from '../../src/wire/content-collector.ts';
import { acceptKey, WebSocketDecoder } from '../../src/wire/websocket.ts';
import { encodeFrame } from '../../src/wire/websocket-frame.ts';

/**
 * The backend of the benchmark. It sends the same prepared events in every response, so that its own work hardly affects
 * the measurement. `GET /events?n=20` sets their number. It declines compression: the time for zlib would hide the
 * differences between proxies.
 */
let responses = responsesWith(20);
const prewarmEvents = eventsWith(0);

const server = createServer((request, response) => {
  const count = /^\/events\?n=(\d+)$/.exec(request.url ?? '')?.[1];
  if (count !== undefined) {
    responses = responsesWith(Number(count));
    response.end();
    return;
  }
  request.resume();
  request.once('end', () => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.end(responses.stream);
  });
});

server.on('upgrade', (request, socket: Duplex) => {
  const key = String(request.headers['sec-websocket-key']);
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`,
  );
  const decoder = new WebSocketDecoder('client', null);
  socket.on('error', () => socket.destroy());
  // The sockets of a server of node:http stay open on this side otherwise, until the process has no descriptors left.
  socket.on('end', () => socket.end());
  socket.on('data', (bytes: Buffer) => {
    for (const event of decoder.push(bytes)) {
      if (event.type !== 'message' || event.message.opcode !== 'text') continue;
      const isPrewarm = textOf(event.message.payload).includes('"generate":false');
      socket.write(isPrewarm ? framed(prewarmEvents) : responses.frames);
    }
  });
});

console.log(`listening ${await listenLocally(server)}`);

function responsesWith(count: number): { readonly frames: Buffer; readonly stream: Buffer } {
  const events = eventsWith(count);
  const stream = events.map((text) => `event: ${typeOf(text)}\ndata: ${text}\n\n`).join('');
  return { frames: framed(events), stream: Buffer.from(stream) };
}

function framed(events: readonly string[]): Buffer {
  return Buffer.concat(events.map((text) => encodeFrame({ opcode: 'text', payload: Buffer.from(text) })));
}

/** Returns the events of a response with `count` deltas. */
function eventsWith(count: number): string[] {
  const response = { id: 'resp_0123456789abcdef', object: 'response', status: 'in_progress', output: [] };
  const part = { item_id: 'msg_0123456789abcdef', output_index: 0, content_index: 0 };
  const item = { id: part.item_id, type: 'message', role: 'assistant' };
  const content = [{ type: 'output_text', text: ' word'.repeat(count), annotations: [] }];
  const done = { output_index: 0, item: { ...item, status: 'completed', content } };
  const events = [
    { type: 'response.created', response },
    ...Array.from({ length: count }, () => ({
      type: 'response.output_text.delta',
      ...part,
      delta: ' word',
    })),
    ...(count === 0 ? [] : [{ type: 'response.output_item.done', ...done }]),
    { type: 'response.completed', response: { ...response, status: 'completed' } },
  ];
  return events.map((event, sequence_number) => JSON.stringify({ ...event, sequence_number }));
}

function typeOf(text: string): string {
  return /"type":"([^"]+)"/.exec(text)?.[1] ?? '';
}
