import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { listenLocally } from '../../src/listening.ts';

/**
 * The least work of a proxy on Node that uses websockets to the backend (whose port is the first argument): it forwards
 * messages, and it turns a POST into a message and the response's messages into events. It parses, checks, rewrites and
 * remembers nothing. The comparison shows how close the proxy is to this minimum.
 */
const backend = `ws://127.0.0.1:${process.argv[2]}/backend-api/codex/responses`;
const plain = { perMessageDeflate: false } as const;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => void respond(request, response, Buffer.concat(chunks).toString('utf8')));
});
const upstreams = new WeakMap<Socket, WebSocket>();

/** Each client connection has one backend connection, as in a session. */
async function respond({ socket }: IncomingMessage, response: ServerResponse, body: string): Promise<void> {
  const upstream = upstreams.get(socket) ?? (await openUpstream());
  if (!upstreams.has(socket)) socket.once('close', () => upstream.terminate());
  upstreams.set(socket, upstream);
  let events = '';
  const receive = (data: Buffer) => {
    const text = data.toString('utf8');
    events += `data: ${text}\n\n`;
    if (!text.startsWith('{"type":"response.completed"')) return;
    upstream.off('message', receive);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(events);
  };
  upstream.on('message', receive);
  upstream.send(`{"type":"response.create",${body.slice(1)}`);
}

function openUpstream(): Promise<WebSocket> {
  const upstream = new WebSocket(backend, plain);
  upstream.on('error', () => upstream.terminate());
  return new Promise((resolve) => upstream.once('open', () => resolve(upstream)));
}

const clients = new WebSocketServer({ noServer: true, ...plain });
server.on('upgrade', async (request: IncomingMessage, socket: Socket, head: Buffer) => {
  const upstream = await openUpstream();
  clients.handleUpgrade(request, socket, head, (client) => {
    client.on('message', (data: Buffer) => upstream.send(data, { binary: false }));
    upstream.on('message', (data: Buffer) => client.send(data, { binary: false }));
    client.on('error', () => client.terminate());
    client.on('close', () => upstream.terminate());
  });
});
console.log(`listening ${await listenLocally(server)}`);
