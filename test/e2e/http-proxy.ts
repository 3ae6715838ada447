/**
 * A proxy that takes websockets from its client and sends each request upstream by POST. It responds to prewarms itself:
 *
 *     node http-proxy.ts PORT UPSTREAM
 */

import { createServer, request } from 'node:http';
import { flushCompileCache } from 'node:module';
import type { Socket } from 'node:net';
import { acceptKey, WebSocketDecoder, WebSocketEncoder } from '../../src/wire/websocket.ts';

const [port, upstreamUrl = ''] = process.argv.slice(2);
const upstream = new URL(upstreamUrl);

const ofUpgrade = /^(?:connection|upgrade|sec-websocket-.*|openai-beta|host)$/i;

createServer((_, response) => response.writeHead(404).end())
  .on('upgrade', ({ rawHeaders, headers }, socket: Socket) => {
    const key = headers['sec-websocket-key'] ?? '';
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`,
    );
    const names = rawHeaders.flatMap((name, at) =>
      at % 2 === 0 && !ofUpgrade.test(name) ? [name, rawHeaders[at + 1] ?? ''] : [],
    );
    const decoder = new WebSocketDecoder('client', null);
    const encoder = new WebSocketEncoder('backend', null);
    const send = (text: string) => socket.write(encoder.encode('text', Buffer.from(text)));
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      for (const decoded of decoder.push(bytes)) {
        if (decoded.type === 'undecodable' || decoded.message.opcode !== 'text') continue;
        const message = decoded.message.payload.toString();
        if (JSON.parse(message).generate === false) {
          for (const type of ['response.created', 'response.completed'])
            send(JSON.stringify({ type, response: { id: `resp_${'ab'.repeat(24)}`, output: [] } }));
        } else post(names, withoutChain(message), send);
      }
    });
  })
  // A signal ends it, after which nothing is written.
  .listen(Number(port), '127.0.0.1', flushCompileCache);

/** Removes members in the text: JSON that is written again spells a clock such as 1700000000.0 differently. */
function withoutChain(message: string): string {
  return message.replace('"type":"response.create",', '').replace(/"previous_response_id":"[^"]*",/, '');
}

function post(headers: readonly string[], body: string, send: (text: string) => void): void {
  const length = String(Buffer.byteLength(body));
  request(
    {
      ...{
        host: upstream.hostname,
        port: upstream.port,
        method: 'POST',
        path: `${upstream.pathname}/responses`,
      },
      headers: [
        ...headers,
        'host',
        upstream.host,
        'content-type',
        'application/json',
        'content-length',
        length,
      ],
    },
    (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
        const events = text.split('\n\n');
        text = events.pop() ?? '';
        for (const event of events) send(/^data: (.*)$/m.exec(event)?.[1] ?? '');
      });
    },
  ).end(body);
}
