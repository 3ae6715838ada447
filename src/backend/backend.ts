import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { listenLocally } from '../listening.ts';
import { closingResponse } from '../wire/closing-response.ts';
import { pairHeaders } from '../wire/headers.ts';
import type { OnBackendEvent } from './backend-event.ts';
import { startFaults } from './faults.ts';
import { type HttpResponse, json } from './http-response.ts';
import { respondToPost } from './http-responses.ts';
import type { BackendRun } from './respond.ts';
import { type Faults, type ScriptedReply, startScript } from './script.ts';
import { notFound, sideResponse } from './side-routes.ts';
import { responsesWebSocket } from './websocket-responses.ts';

export type BackendOptions = {
  /** TCP port on 127.0.0.1; absent or 0 takes a free one. */
  readonly port?: number;
  readonly script: readonly ScriptedReply[];
  readonly faults?: Faults;
  readonly onEvent?: OnBackendEvent;
};

export type Backend = {
  readonly port: number;
  /** `http://127.0.0.1:PORT`, without a path. */
  readonly origin: string;
  /** How many scripted replies were used so far. */
  served(): number;
  /** In what the run and the script differ, each as a reader is told: replies and faults not used, replies missed. */
  deviations(): string[];
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
  const stage: BackendRun = { script: startScript(replies), trouble: startFaults(faults), onEvent };
  const { script, trouble } = stage;
  const websocket = responsesWebSocket(stage);
  const server = createServer((request, response) => {
    // The only thing that fails here is a client that goes away in the middle of its request.
    answer(request, response, stage).catch(() => response.destroy());
  });
  server.on('upgrade', (request, socket, head) => {
    // Without a listener, a client that resets its connection would end the process.
    socket.on('error', () => {});
    const target = request.url ?? '/';
    if (!responsesPaths.has(pathOf(target))) {
      onEvent({ type: 'unrouted', method: 'GET', target });
      refuse(socket, notFound());
      return;
    }
    const refusal = trouble.upgradeRefusal();
    if (refusal !== undefined) {
      refuse(socket, json(refusal, { error: { type: 'upgrade_refused', code: 'upgrade_refused' } }));
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
    deviations: () => [
      ...(script.served() === script.length ? [] : [`${script.served()} of ${script.length} replies used`]),
      ...(script.missed() === 0 ? [] : [`${script.missed()} more asked for`]),
      ...trouble.left(),
    ],
    close: () =>
      new Promise((resolve) => {
        websocket.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, stage: BackendRun): Promise<void> {
  const { onEvent, trouble } = stage;
  const body = await bodyOf(request);
  const method = request.method ?? 'GET';
  const target = request.url ?? '/';
  const path = pathOf(target);
  const headers = pairHeaders(request.rawHeaders);
  if (method === 'POST' && responsesPaths.has(path.replace(/\/compact$/, ''))) {
    const reply = await respondToPost({ path, headers, body }, stage);
    onEvent({ type: 'request', method, target, headers, status: reply.status });
    write(response, reply);
    return;
  }
  const routed = sideResponse({ method, path, headers, body: body.toString('utf8') }, trouble);
  if (routed === undefined) onEvent({ type: 'unrouted', method, target });
  const reply = routed ?? notFound();
  onEvent({ type: 'request', method, target, headers, status: reply.status });
  write(response, reply);
}

/** Answers an upgrade otherwise than the client hoped, and lets go of it. */
function refuse(socket: Duplex, { status, headers, body }: HttpResponse): void {
  // A client that breaks off has heard enough.
  socket.on('error', () => {});
  socket.end(closingResponse({ status, headers, body }), () => socket.destroy());
}

function write(response: ServerResponse, { status, headers, body, ending }: HttpResponse): void {
  const bytes = Buffer.from(body);
  if (ending === undefined) {
    response.writeHead(status, [...headers.flat(), 'content-length', String(bytes.length)]);
    response.end(bytes);
    return;
  }
  response.writeHead(status, headers.flat());
  response.flushHeaders();
  response.write(bytes, () => {
    if (ending === 'cut') response.destroy();
  });
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function pathOf(target: string): string {
  return target.replace(/\?.*$/s, '').replace(/\/{2,}/g, '/');
}
