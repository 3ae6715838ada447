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

/** A request as a backend got it. */
export type Got = { readonly headers: HeaderList; readonly body: Buffer };

/** A backend that plays its side of these exchanges, one for each request. */
export async function backendOf(exchanges: readonly Exchange[]): Promise<{ port: number; got: Got[] }> {
  const got: Got[] = [];
  const coming = exchanges.values();
  const sockets = new WebSocketServer({ noServer: true });
  const take = async (request: IncomingMessage, body: Buffer): Promise<Exchange | undefined> => {
    got.push({ headers: pairHeaders(request.rawHeaders), body });
    return coming.next().value;
  };
  const server = createServer(async (request) => {
    const exchange = await take(request, await buffer(request));
    if (exchange !== undefined) answer(request.socket, exchange);
  });
  server.on('connection', (socket) => socket.on('error', () => {}));
  server.on('upgrade', async (request, socket, head) => {
    const exchange = await take(request, Buffer.alloc(0));
    if (exchange === undefined) return;
    if (responseOf(exchange)?.status !== 101) answer(socket, exchange);
    else sockets.handleUpgrade(request, socket, head, (client) => void converse(client, exchange));
  });
  const port = await listenLocally(server);
  onTestFinished(() => {
    for (const client of sockets.clients) client.terminate();
    server.close();
    server.closeAllConnections();
  });
  return { port, got };
}

/** Writes an HTTP answer by hand; one that is cut off says that it is longer than it is. */
function answer(socket: Duplex, exchange: Exchange): void {
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

async function converse(client: WebSocket, { steps, end }: Exchange): Promise<void> {
  client.on('error', () => {});
  const heard: string[] = [];
  client.on('message', (data) => heard.push(String(data)));
  for (const step of steps) {
    if (step.type !== 'message') continue;
    if (step.from === 'client') {
      if (heard.shift() !== undefined) continue;
      await once(client, 'message');
      heard.shift();
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
