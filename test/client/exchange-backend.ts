import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import { listenLocally } from '../../src/listening.ts';
import type { Content, ResponseEvent } from '../../src/trace/trace-event.ts';
import { type HeaderList, pairHeaders } from '../../src/wire/headers.ts';
import { printJson } from '../../src/wire/json.ts';
import { encodeSse } from '../../src/wire/sse.ts';

/** A request that a backend received. */
export type ReceivedRequest = { readonly headers: HeaderList; readonly body: Buffer };

/** Starts a backend that plays its side of these exchanges, one for each request. */
export async function backendOf(
  exchanges: readonly Exchange[],
): Promise<{ port: number; requests: ReceivedRequest[] }> {
  const requests: ReceivedRequest[] = [];
  const next = exchanges.values();
  const sockets = new WebSocketServer({ noServer: true });
  const take = async (request: IncomingMessage, body: Buffer): Promise<Exchange | undefined> => {
    requests.push({ headers: pairHeaders(request.rawHeaders), body });
    return next.next().value;
  };
  const server = createServer(async (request) => {
    const exchange = await take(request, await buffer(request));
    if (exchange !== undefined) respond(request.socket, exchange);
  });
  server.on('connection', (socket) => socket.on('error', () => {}));
  server.on('upgrade', async (request, socket, head) => {
    const exchange = await take(request, Buffer.alloc(0));
    if (exchange === undefined) return;
    if (responseOf(exchange)?.status !== 101) respond(socket, exchange);
    else sockets.handleUpgrade(request, socket, head, (client) => void serve(client, exchange));
  });
  const port = await listenLocally(server);
  onTestFinished(() => {
    for (const client of sockets.clients) client.terminate();
    server.close();
    server.closeAllConnections();
  });
  return { port, requests };
}

/** Writes an HTTP response. One that is cut off has a content length beyond its end. */
function respond(socket: Duplex, exchange: Exchange): void {
  const response = responseOf(exchange);
  const body = exchange.steps.find((step) => step.type === 'body' && step.from === 'backend');
  const content = body?.type === 'body' ? textOf(body.content) : '';
  const complete = body?.type === 'body' ? body.complete : true;
  const headers = (response?.headers ?? []).map(
    ([name, value]) => `${name}: ${value.kind === 'string' ? value.value : ''}\r\n`,
  );
  socket.write(
    `HTTP/1.1 ${response?.status} Anything\r\n${headers.join('')}content-length: ${
      Buffer.byteLength(content) + (complete ? 0 : 9)
    }\r\n\r\n${content}`,
  );
  if (exchange.end === 'backend') socket.end();
}

async function serve(client: WebSocket, { steps, end }: Exchange): Promise<void> {
  client.on('error', () => {});
  const received: string[] = [];
  client.on('message', (data) => received.push(String(data)));
  for (const step of steps) {
    if (step.type !== 'message') continue;
    if (step.from === 'client') {
      if (received.shift() !== undefined) continue;
      await once(client, 'message');
      received.shift();
    } else if (step.content.kind === 'close') client.close(step.content.code ?? undefined);
    else client.send(textOf(step.content), { binary: step.opcode === 'binary' });
  }
  if (end === 'backend' && client.readyState === client.OPEN) client.terminate();
}

function responseOf({ steps }: Exchange): ResponseEvent | undefined {
  return steps.find((step) => step.type === 'response');
}

function textOf(content: Content): string {
  switch (content.kind) {
    case 'json':
      return printJson(content.json);
    case 'text':
      return content.text.kind === 'string' ? content.text.value : '';
    case 'events':
      return content.events.map(({ event, data }) => encodeSse(printJson(data), event)).join('');
    default:
      return 'bytes';
  }
}
