import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { zstdDecompressSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { readGolden } from '../../src/golden/file.ts';
import { listenLocally } from '../../src/listening.ts';
import { type Logger, lineLogger } from '../../src/proxy/log.ts';
import { type ProxyOptions, startProxy } from '../../src/proxy/server.ts';
import { Shape } from '../../src/proxy/shape/shape.ts';
import { type HeaderList, headerValue, pairHeaders } from '../../src/wire/headers.ts';

const traces = join(import.meta.dirname, '..', '..', 'traces');
const read = (codex: string, scenario: string) =>
  readGolden(join(traces, codex, 'chatgpt', `${scenario}.golden.jsonl`));

export const shape = new Shape(
  await read('0.169.0', 'default'),
  [await read('0.169.0', 'fast'), await read('0.169.0', 'turn-state-http')],
  await read('0.169.0', 'http-fallback'),
);

/** What a backend heard: one entry for each upgrade and POST. */
export type Heard = {
  readonly transport: 'websocket' | 'http';
  readonly target: string;
  readonly headers: HeaderList;
  /** JSON texts: the messages of a websocket, or the one body of a POST. */
  readonly messages: string[];
};

export type Body = {
  readonly model: string;
  readonly input: readonly unknown[];
  readonly previous_response_id?: string;
  readonly generate?: boolean;
  readonly service_tier?: string;
  readonly prompt_cache_key: string;
  readonly client_metadata: Record<string, string>;
};

export type Backend = {
  readonly port: number;
  readonly url: URL;
  readonly heard: Heard[];
  /** All requests but prewarms, in their order. */
  readonly turns: () => Body[];
  /** The sockets that are open. */
  readonly sockets: WebSocketServer;
};

export type Answer = {
  /** Answers a message of the websocket that is no prewarm. */
  readonly message?: (socket: WebSocket, body: Body, heard: Heard) => void;
  /** Answers a prewarm, in the place of a plain response. */
  readonly prewarm?: (socket: WebSocket) => void;
  /** Refuses an upgrade, where it gives something: the whole answer of HTTP. */
  readonly upgrade?: (count: number) => string | undefined;
  readonly post?: (response: ServerResponse, body: string, request: IncomingMessage) => void;
};

/** The events of a whole response that says `text`, as JSON texts. */
export function eventsOf(text: string, id = `resp_${randomUUID()}`): string[] {
  const item = { id: 'msg_1', type: 'message', role: 'assistant', content: [{ type: 'output_text', text }] };
  const response = { id, object: 'response', status: 'completed', model: 'm', output: [item] };
  return [
    { type: 'response.created', response: { ...response, status: 'in_progress', output: [] } },
    { type: 'response.output_item.added', output_index: 0, item: { ...item, content: [] } },
    { type: 'response.output_text.delta', output_index: 0, content_index: 0, delta: text },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response },
  ].map((event) => JSON.stringify(event));
}

export function say(socket: WebSocket, events: readonly string[]): void {
  for (const event of events) socket.send(event);
}

/** A backend that answers every request with a response, unless told otherwise, and notes what it hears. */
export async function backend(answer: Answer = {}): Promise<Backend> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const packed = Buffer.concat(chunks);
      const headers = pairHeaders(request.rawHeaders);
      const isZstd = headerValue(headers, 'content-encoding') === 'zstd';
      const body = (isZstd ? zstdDecompressSync(packed) : packed).toString('utf8');
      heard.push({
        transport: 'http',
        target: `${request.method} ${request.url}`,
        headers,
        messages: [body],
      });
      (answer.post ?? answerPost)(response, body, request);
    });
  });
  const sockets = new WebSocketServer({ noServer: true });
  let upgrades = 0;
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {});
    const headers = pairHeaders(request.rawHeaders);
    const one: Heard = { transport: 'websocket', target: `GET ${request.url}`, headers, messages: [] };
    heard.push(one);
    upgrades += 1;
    const refusal = answer.upgrade?.(upgrades);
    if (refusal !== undefined) {
      socket.end(refusal);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => {});
      client.on('message', (data) => {
        one.messages.push(String(data));
        const body: Body = JSON.parse(String(data));
        if (body.generate === false) (answer.prewarm ?? ((to) => say(to, eventsOf('', 'resp_warm'))))(client);
        else (answer.message ?? ((to) => say(to, eventsOf('OK'))))(client, body, one);
      });
    });
  });
  const port = await listen(server);
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  return {
    port,
    url: new URL(`http://127.0.0.1:${port}/backend-api/codex`),
    heard,
    sockets,
    turns: () =>
      heard
        .flatMap(({ messages }) => messages)
        .map((message): Body => JSON.parse(message))
        .filter(({ generate }) => generate !== false),
  };
}

function answerPost(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(eventsOf('OK').map(sse).join(''));
}

export function sse(event: string): string {
  return `event: ${JSON.parse(event).type}\ndata: ${event}\n\n`;
}

export function listen(server: Server): Promise<number> {
  return listenLocally(server);
}

export const quick = { retries: [0, 1, 1, 1, 1, 1] } as const;

/** A proxy in front of a backend; resolves to its origin. */
export async function proxyTo(to: URL, options: Partial<ProxyOptions> = {}): Promise<string> {
  const proxy = await startProxy({
    shape,
    signIn: () => ({ lane: 'chatgpt', websockets: true, accessToken: 'the-token', accountId: 'the-account' }),
    upstream: to,
    port: 0,
    log: lineLogger(() => {}),
    limits: quick,
    ...options,
  });
  onTestFinished(() => proxy.close());
  return `http://127.0.0.1:${proxy.port}`;
}

/** A logger that keeps all that it is told. */
export function notebook(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const note = (fields: object, message: string) => lines.push(`${JSON.stringify(fields)} ${message}`);
  return { lines, log: { debug: note, info: note, warn: note } };
}

export async function opened(url: string, headers: Record<string, string> = {}): Promise<WebSocket> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers });
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

/** All messages up to the last event of a response. */
export function answerOn(socket: WebSocket): Promise<string[]> {
  const messages: string[] = [];
  return new Promise((resolve, reject) => {
    const hear = (data: unknown) => {
      messages.push(String(data));
      if (!/"type":"(?:response\.(?:completed|failed|incomplete)|error)"/.test(String(data))) return;
      socket.off('message', hear);
      resolve(messages);
    };
    socket.on('message', hear);
    socket.once('close', () => reject(new Error(`closed after ${messages.length} messages`)));
  });
}

/** The status and body with which an upgrade is refused. */
export function refusal(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers });
    socket.once('open', () => reject(new Error('the upgrade was accepted')));
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
  });
}

export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** The events of a stream, as their data. */
export async function eventsIn(response: Response): Promise<string[]> {
  const text = await response.text();
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => data);
}
