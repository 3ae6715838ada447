import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { listenLocally } from '../../src/listening.ts';
import { acceptKey, WebSocketDecoder } from '../../src/wire/websocket.ts';
import { encodeFrame } from '../../src/wire/websocket-frame.ts';

/**
 * The backend of the benchmark, a process of its own. It answers every request with the same events, prepared before,
 * so that as little as possible of what is measured is its own work: `GET /events?n=20` sets how many. It declines
 * to compress, as a proxy that passes bytes on could not show its worth beside zlib.
 */
let replies = repliesOf(20);
const prewarmed = eventsOf(0);

const server = createServer((request, response) => {
  const wanted = /^\/events\?n=(\d+)$/.exec(request.url ?? '')?.[1];
  if (wanted !== undefined) {
    replies = repliesOf(Number(wanted));
    response.end();
    return;
  }
  request.resume();
  request.once('end', () => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.end(replies.stream);
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
  socket.on('data', (bytes: Buffer) => {
    for (const event of decoder.push(bytes)) {
      if (event.type !== 'message' || event.message.opcode !== 'text') continue;
      const prewarm = event.message.payload.includes('"generate":false');
      socket.write(prewarm ? framed(prewarmed) : replies.frames);
    }
  });
});

console.log(`listening ${await listenLocally(server)}`);

function repliesOf(count: number): { readonly frames: Buffer; readonly stream: Buffer } {
  const events = eventsOf(count);
  const stream = events.map((text) => `event: ${typeOf(text)}\ndata: ${text}\n\n`).join('');
  return { frames: framed(events), stream: Buffer.from(stream) };
}

function framed(events: readonly string[]): Buffer {
  return Buffer.concat(events.map((text) => encodeFrame({ opcode: 'text', payload: Buffer.from(text) })));
}

/** A response of as many deltas, between its beginning and its end. */
function eventsOf(count: number): string[] {
  const response = { id: 'resp_0123456789abcdef', object: 'response', status: 'in_progress', output: [] };
  const place = { item_id: 'msg_0123456789abcdef', output_index: 0, content_index: 0 };
  const item = { id: place.item_id, type: 'message', role: 'assistant' };
  const content = [{ type: 'output_text', text: ' word'.repeat(count), annotations: [] }];
  const said = { output_index: 0, item: { ...item, status: 'completed', content } };
  const events = [
    { type: 'response.created', response },
    ...Array.from({ length: count }, () => ({
      type: 'response.output_text.delta',
      ...place,
      delta: ' word',
    })),
    ...(count === 0 ? [] : [{ type: 'response.output_item.done', ...said }]),
    { type: 'response.completed', response: { ...response, status: 'completed' } },
  ];
  return events.map((event, sequence_number) => JSON.stringify({ ...event, sequence_number }));
}

function typeOf(text: string): string {
  return /"type":"([^"]+)"/.exec(text)?.[1] ?? '';
}
