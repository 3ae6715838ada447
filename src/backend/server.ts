import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { listenLocally } from '../listening.ts';
import { headerValue, pairHeaders } from '../wire/headers.ts';
import type { OnBackendEvent } from './event.ts';
import { type HttpAnswer, json } from './http-answer.ts';
import { answerPost } from './http-responses.ts';
import { answerPlain, notFound } from './routes.ts';
import { type Faults, type Reply, type Script, startScript } from './script.ts';
import { responsesWebSocket } from './websocket.ts';

export type BackendOptions = {
  /** TCP port on 127.0.0.1; absent or 0 takes a free one. */
  readonly port?: number;
  readonly script: readonly Reply[];
  readonly faults?: Faults;
  readonly onEvent?: OnBackendEvent;
};

export type Backend = {
  readonly port: number;
  /** `http://127.0.0.1:PORT`, without a path. */
  readonly origin: string;
  /** How many scripted replies were used so far. */
  served(): number;
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
};

/** Where responses are asked for: with a ChatGPT sign-in, and with an API key. */
const responsesPaths = new Set(['/backend-api/codex/responses', '/v1/responses']);

/**
 * Starts the simulated Codex backend: plain HTTP and websocket on loopback; whoever wants TLS puts a tap before it.
 *
 * @throws ParityError `port-in-use` when something listens on the port already.
 */
export async function startBackend(options: BackendOptions): Promise<Backend> {
  const { port = 0, script: replies, faults = {}, onEvent = () => {} } = options;
  const refusals = [...(faults.upgrades ?? [])];
  const script = startScript(replies);
  const websocket = responsesWebSocket(script, onEvent);
  const server = createServer((request, response) => {
    // The only thing that fails here is a client that goes away in the middle of its request.
    answer(request, response, script, onEvent).catch(() => response.destroy());
  });
  server.on('upgrade', (request, socket, head) => {
    const target = request.url ?? '/';
    if (!responsesPaths.has(pathOf(target))) {
      onEvent({ type: 'unrouted', method: 'GET', target });
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    const refusal = refusals.shift();
    if (refusal !== undefined) {
      const { body } = json(refusal, { error: { type: 'upgrade_refused', code: 'upgrade_refused' } });
      socket.end(
        `HTTP/1.1 ${refusal} ${STATUS_CODES[refusal] ?? ''}\r\ncontent-type: application/json\r\n` +
          `content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      );
      return;
    }
    onEvent({ type: 'upgrade', target, headers: pairHeaders(request.rawHeaders) });
    websocket.accept(request, socket, head);
  });
  const listening = await listenLocally(server, port);
  return {
    port: listening,
    origin: `http://127.0.0.1:${listening}`,
    served: script.served,
    close: () =>
      new Promise((resolve) => {
        websocket.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  script: Script,
  onEvent: OnBackendEvent,
): Promise<void> {
  const body = await bodyOf(request);
  const method = request.method ?? 'GET';
  const target = request.url ?? '/';
  const path = pathOf(target);
  const headers = pairHeaders(request.rawHeaders);
  if (method === 'POST' && responsesPaths.has(path)) {
    const reply = await answerPost(body, headerValue(headers, 'content-encoding'), script, onEvent);
    onEvent({ type: 'request', method, target, headers, status: reply.status });
    write(response, reply);
    return;
  }
  const routed = answerPlain({ method, path, headers, body: body.toString('utf8') });
  if (routed === undefined) onEvent({ type: 'unrouted', method, target });
  const reply = routed ?? notFound();
  onEvent({ type: 'request', method, target, headers, status: reply.status });
  write(response, reply);
}

function write(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  const bytes = Buffer.from(body, 'utf8');
  response.writeHead(status, [...headers.flat(), 'content-length', String(bytes.length)]);
  response.end(bytes);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function pathOf(target: string): string {
  return target.replace(/\?.*$/s, '').replace(/\/{2,}/g, '/');
}
