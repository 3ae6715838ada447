import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { zstdDecompressSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { listenLocally } from '../../src/listening.ts';
import { type Logger, lineLogger } from '../../src/proxy/log.ts';
import { type ProxyOptions, startProxy } from '../../src/proxy/server.ts';
import { Shape } from '../../src/proxy/shape/shape.ts';
import { type HeaderList, headerValue, pairHeaders } from '../../src/wire/headers.ts';
import { committedGolden } from '../golden/committed-goldens.ts';

const traces = join(import.meta.dirname, '..', '..', 'traces');
const read = (codex: string, scenario: string) =>
  committedGolden(join(traces, codex, 'chatgpt', `${scenario}.golden.jsonl`));

export const shape = new Shape(await read('0.169.0', 'default'), {
  others: [await read('0.169.0', 'fast'), await read('0.169.0', 'turn-state-http')],
  http: await read('0.169.0', 'http-fallback'),
  http2: await read('0.169.0', 'http2-fallback'),
});

/** An upgrade or POST that a backend received. */
export type ReceivedRequest = {
  readonly transport: 'websocket' | 'http';
  readonly target: string;
  readonly headers: HeaderList;
  /** JSON texts: the messages of a websocket, or the one body of a POST. */
  readonly messages: string[];
};

export type RequestBody = {
  readonly model: string;
  readonly input: readonly unknown[];
  readonly previous_response_id?: string;
  readonly generate?: boolean;
  readonly service_tier?: string;
  readonly prompt_cache_key: string;
  readonly client_metadata: Record<string, string>;
};

export type TestBackend = {
  readonly port: number;
  readonly url: URL;
  readonly received: ReceivedRequest[];
  /** All requests except prewarms, in order. */
  readonly turns: () => RequestBody[];
  /** The open websockets. */
  readonly sockets: WebSocketServer;
};

/** How a backend responds. By default every request receives a complete response. */
export type BackendBehaviour = {
  /** Responds to a websocket message that is not a prewarm. */
  readonly message?: (socket: WebSocket, body: RequestBody, request: ReceivedRequest) => void;
  readonly prewarm?: (socket: WebSocket, request: ReceivedRequest) => void;
  /** Refuses the nth upgrade, if it returns a complete HTTP response. */
  readonly upgrade?: (count: number, request: IncomingMessage) => UpgradeAnswer | Promise<UpgradeAnswer>;
  readonly post?: (response: ServerResponse, body: string, request: IncomingMessage) => void;
  /** Whether it compresses its messages, however short. */
  readonly deflate?: boolean;
};

/** What a backend returns for an upgrade that it does not respond to. */
export const noResponse = Symbol('no response');

type UpgradeAnswer = string | typeof noResponse | undefined;

/** The events of a complete response whose message is `text`, as JSON texts. */
export function responseEvents(text: string, id = `resp_${randomUUID()}`): string[] {
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

export function sendAll(socket: WebSocket, events: readonly string[]): void {
  for (const event of events) socket.send(event);
}

/** Starts a backend that records what it receives. */
export async function startTestBackend(behaviour: BackendBehaviour = {}): Promise<TestBackend> {
  const {
    message = (socket) => sendAll(socket, responseEvents('OK')),
    prewarm = (socket) => sendAll(socket, responseEvents('', 'resp_warm')),
    upgrade = () => undefined,
    post = streamResponse,
    deflate = false,
  } = behaviour;
  const received: ReceivedRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const packed = Buffer.concat(chunks);
      const headers = pairHeaders(request.rawHeaders);
      const isZstd = headerValue(headers, 'content-encoding') === 'zstd';
      const body = (isZstd ? zstdDecompressSync(packed) : packed).toString('utf8');
      const target = `${request.method} ${request.url}`;
      received.push({ transport: 'http', target, headers, messages: [body] });
      post(response, body, request);
    });
  });
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: deflate ? { threshold: 0 } : false,
  });
  let upgrades = 0;
  server.on('upgrade', async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {});
    const headers = pairHeaders(request.rawHeaders);
    const opened: ReceivedRequest = {
      transport: 'websocket',
      target: `GET ${request.url}`,
      headers,
      messages: [],
    };
    received.push(opened);
    upgrades += 1;
    const refusal = await upgrade(upgrades, request);
    if (refusal === noResponse) return;
    if (refusal !== undefined) {
      socket.end(refusal);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => {});
      client.on('message', (data) => {
        opened.messages.push(String(data));
        const body: RequestBody = JSON.parse(String(data));
        if (body.generate === false) prewarm(client, opened);
        else message(client, body, opened);
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
    received,
    sockets,
    turns: () =>
      received
        .flatMap(({ messages }) => messages)
        .map((text): RequestBody => JSON.parse(text))
        .filter(({ generate }) => generate !== false),
  };
}

function streamResponse(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(responseEvents('OK').map(sse).join(''));
}

/** A server-sent event with the given JSON text. */
export function sse(event: string): string {
  // Most begin with their type, and some are long.
  const type = /^\{"type":"([\w.]+)"/.exec(event)?.[1] ?? JSON.parse(event).type;
  return `event: ${type}\ndata: ${event}\n\n`;
}

export function listen(server: Server): Promise<number> {
  return listenLocally(server);
}

/** Limits with short pauses between attempts. */
export const fastRetries = { retries: [0, 1, 1, 1, 1, 1] } as const;

/** Starts a proxy in front of a backend. Returns its origin. */
export async function proxyTo(upstream: URL, options: Partial<ProxyOptions> = {}): Promise<string> {
  const proxy = await startProxy({
    shape,
    signIn: () => ({ lane: 'chatgpt', websockets: true, accessToken: 'the-token', accountId: 'the-account' }),
    upstream,
    port: 0,
    log: lineLogger(() => {}),
    limits: fastRetries,
    ...options,
  });
  onTestFinished(() => proxy.close());
  return `http://127.0.0.1:${proxy.port}`;
}

/** Headers of an official client of the golden's version that leaves nothing out: its websocket is tunnelled. */
export const tunnelled = {
  'chatgpt-account-id': 'account-of-the-client',
  authorization: 'Bearer token-of-the-client',
  'user-agent': 'codex_exec/0.169.0 (a system) a-terminal (codex_exec; 0.169.0)',
  originator: 'codex_exec',
  'openai-beta': 'responses_websockets=2026-02-06',
  version: '0.169.0',
  'x-codex-beta-features': 'a_feature',
  'x-client-request-id': '01a20000-0000-7000-8000-000000000001',
  'session-id': '01a20000-0000-7000-8000-000000000001',
  'thread-id': '01a20000-0000-7000-8000-000000000001',
  'x-codex-window-id': '01a20000-0000-7000-8000-000000000001:0',
  'x-codex-turn-metadata': '{"a":"text of the client"}',
  'x-codex-routing-hint': 'model=m',
};

/** The value of one of the proxy's metrics; 0 if it has not been counted. */
export async function metric(origin: string, name: string): Promise<number> {
  const text = await (await fetch(`${origin}/metrics`)).text();
  return Number(new RegExp(`^codex_parity_proxy_${name}(?:\\{.*\\})? (\\d+)`, 'm').exec(text)?.[1] ?? 0);
}

/** A logger that keeps all lines. */
export function recordLogs(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const add = (fields: object, message: string) => lines.push(`${JSON.stringify(fields)} ${message}`);
  return { lines, log: { debug: add, info: add, warn: add } };
}

export async function openWebSocket(url: string, headers: Record<string, string> = {}): Promise<WebSocket> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers, perMessageDeflate: { threshold: 0 } });
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

/** All messages up to the last event of a response. */
export function receiveResponse(socket: WebSocket): Promise<string[]> {
  const messages: string[] = [];
  return new Promise((resolve, reject) => {
    const onMessage = (data: unknown) => {
      const text = String(data);
      messages.push(text);
      if (!/"type":"(?:response\.(?:completed|failed|incomplete)|error)"/.test(text)) return;
      socket.off('message', onMessage);
      resolve(messages);
    };
    socket.on('message', onMessage);
    socket.once('close', () => reject(new Error(`closed after ${messages.length} messages`)));
  });
}

/** The status and body of a refused upgrade. */
export function refusedUpgrade(
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

/** The data of all events of a stream. */
export async function readEvents(response: Response): Promise<string[]> {
  const lines = (await response.text()).split('\n');
  return lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice('data: '.length));
}

/** A user message of a request's input. */
export const user = (text: string) => ({
  type: 'message',
  role: 'user',
  content: [{ type: 'input_text', text }],
});

/** A small streamed request. */
export const hello = { model: 'm', input: 'hello', stream: true };

/** An HTTP response that refuses an upgrade, such as `426 Upgrade Required`. */
export function refusedWith(status: string): string {
  return `HTTP/1.1 ${status}\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}`;
}

/** An error frame of the backend. */
export const errorFrame = (status: number, code: string) =>
  JSON.stringify({ type: 'error', status, error: { type: 'x', code, message: 'this went wrong' } });

/** A header of the nth upstream request. */
export function sentHeader({ received }: TestBackend, at: number, name: string): string | undefined {
  return headerValue(received[at]?.headers ?? [], name);
}
