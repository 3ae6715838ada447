import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { listenLocally } from '../../src/listening.ts';

/**
 * What any proxy must do that speaks websockets to the backend, on Node and with its usual library, to the port of
 * the first argument: a message is received and sent on, a POST becomes a message, and the messages that answer it
 * become events. Nothing is read, checked, rewritten or remembered. It shows how near to its floor the proxy is.
 */
const backend = `ws://127.0.0.1:${process.argv[2]}/backend-api/codex/responses`;
const plain = { perMessageDeflate: false } as const;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => void answer(request, response, Buffer.concat(chunks).toString('utf8')));
});
const upstreams = new WeakMap<Socket, WebSocket>();

/** Each connection of a client has one of the backend's, as sessions have. */
async function answer({ socket }: IncomingMessage, response: ServerResponse, body: string): Promise<void> {
  const upstream = upstreams.get(socket) ?? (await opened());
  if (!upstreams.has(socket)) socket.once('close', () => upstream.terminate());
  upstreams.set(socket, upstream);
  let events = '';
  const take = (data: Buffer) => {
    const text = data.toString('utf8');
    events += `data: ${text}\n\n`;
    if (!text.startsWith('{"type":"response.completed"')) return;
    upstream.off('message', take);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(events);
  };
  upstream.on('message', take);
  upstream.send(`{"type":"response.create",${body.slice(1)}`);
}

function opened(): Promise<WebSocket> {
  const upstream = new WebSocket(backend, plain);
  upstream.on('error', () => upstream.terminate());
  return new Promise((resolve) => upstream.once('open', () => resolve(upstream)));
}

const clients = new WebSocketServer({ noServer: true, ...plain });
server.on('upgrade', async (request: IncomingMessage, socket: Socket, head: Buffer) => {
  const upstream = await opened();
  clients.handleUpgrade(request, socket, head, (client) => {
    client.on('message', (data: Buffer) => upstream.send(data, { binary: false }));
    upstream.on('message', (data: Buffer) => client.send(data, { binary: false }));
    client.on('error', () => client.terminate());
    client.on('close', () => upstream.terminate());
  });
});
console.log(`listening ${await listenLocally(server)}`);
