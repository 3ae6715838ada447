import { createServer, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { closingResponse } from '../wire/closing-response.ts';
import { pairHeaders } from '../wire/headers.ts';
import { type Faults, startFaults } from './faults.ts';
import { respondToPost } from './http-responses.ts';
import { beginResponse, bothVersions, cutOff, type Request, type Response } from './http-versions.ts';
import { listenWithFaults } from './listen-with-faults.ts';
import type { ScriptedReply } from './reply.ts';
import { type BackendRun, startScript } from './respond.ts';
import { type HttpResponse, jsonResponse } from './scripted-response.ts';
import { sideResponse } from './side-routes.ts';
import { startWebSocketResponses } from './websocket-responses.ts';

export type BackendOptions = {
  /** TCP port on 127.0.0.1; absent or 0 uses a free one. */
  readonly port?: number;
  readonly script: readonly ScriptedReply[];
  /** Whether the script starts anew at its end, for any number of clients. Faults happen once. Absent: false. */
  readonly repeats?: boolean;
  readonly faults?: Faults;
  /** The seed by which bytes, frames, pings and compression vary; absent varies nothing. */
  readonly vary?: number | undefined;
  /** The models that it lists. Absent: none. */
  readonly models?: readonly string[];
  /** Refuses what the real backend refuses, and responds as it does, by what its users report. Absent: false. */
  readonly strict?: boolean;
  /**
   * Chooses the reply to a request. Where it returns undefined, the script has the reply. `conversation` has the items of the
   * request; in strict mode, after those of the response that it continues.
   */
  readonly replyTo?: BackendRun['replyTo'];
  readonly onEvent?: BackendRun['onEvent'];
};

export type Backend = {
  readonly port: number;
  /** `http://127.0.0.1:PORT`, without a path. */
  readonly origin: string;
  /** Whether it serves HTTP/2 besides HTTP/1.1. Faults on the wire happen over HTTP/1.1 only. */
  readonly http2: boolean;
  /** How many scripted replies were used so far. */
  used(): number;
  /** Describes how the run deviated from the script, a phrase each: unused replies and faults, and missing replies. */
  deviations(): string[];
  /** See FaultRelay: for a server in front of the backend that terminates TLS. */
  failHandshake(client: Socket): boolean;
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
};

/** The paths of responses: with a ChatGPT sign-in, and with an API key. */
const responsesPaths = new Set(['/backend-api/codex/responses', '/v1/responses']);

const notFound = jsonResponse(404, { detail: 'Not Found' });

/**
 * Starts the simulated Codex backend: HTTP/1.1, HTTP/2 and websocket on loopback. For TLS, put a tap in front of it.
 *
 * @throws ParityError `port-in-use` when the port is in use.
 */
export async function startBackend(options: BackendOptions): Promise<Backend> {
  const { port = 0, vary, strict = false, replyTo = () => undefined, onEvent = () => {} } = options;
  const script = startScript(options.script, options.repeats);
  const faults = startFaults(options.faults ?? {});
  const run: BackendRun = { script, faults, strict, replyTo, onEvent };
  const websockets = startWebSocketResponses(run);
  const serve = (request: Request, response: Response) => {
    // This fails only when the client disconnects in the middle of its request.
    serveRequest(request, response, { ...run, models: options.models ?? [] }).catch(() => response.destroy());
  };
  const http1 = createServer(serve);
  http1.on('upgrade', (request, socket, head) => {
    // Without a listener, a client that resets its connection would end the process.
    socket.on('error', () => {});
    const target = request.url ?? '/';
    if (!responsesPaths.has(pathOf(target))) {
      onEvent({ type: 'unrouted', method: 'GET', target });
      refuseUpgrade(socket, notFound);
      return;
    }
    const refusal = faults.upgradeRefusal();
    if (refusal !== undefined) {
      const error = { type: 'upgrade_refused', code: 'upgrade_refused' };
      refuseUpgrade(socket, jsonResponse(refusal, { error }));
      return;
    }
    onEvent({ type: 'upgrade', target, headers: pairHeaders(request.rawHeaders) });
    websockets.accept(request, socket, head);
  });
  const wire = options.faults?.wire ?? [];
  const server = bothVersions(http1, serve);
  const listening = await listenWithFaults(server, { port, faults: wire, vary });
  return {
    port: listening.port,
    origin: `http://127.0.0.1:${listening.port}`,
    http2: wire.length === 0,
    used: script.used,
    deviations: () => [
      ...(script.used() === script.length ? [] : [`${script.used()} of ${script.length} replies used`]),
      ...(script.unanswered() === 0 ? [] : [`missing replies: ${script.unanswered()}`]),
      ...faults.left(),
      ...listening.left().map((fault) => `fault ${fault} did not happen`),
    ],
    failHandshake: listening.failHandshake,
    close: () => {
      websockets.close();
      return listening.close();
    },
  };
}

async function serveRequest(
  request: Request,
  response: Response,
  run: BackendRun & { readonly models: readonly string[] },
): Promise<void> {
  const { onEvent } = run;
  const body = await buffer(request);
  const method = request.method ?? 'GET';
  const target = request.url ?? '/';
  const path = pathOf(target);
  const headers = pairHeaders(request.rawHeaders).filter(([name]) => !name.startsWith(':'));
  const send = (sent: HttpResponse) => {
    onEvent({ type: 'request', method, target, headers, status: sent.status });
    write(response, sent);
  };
  if (method === 'POST' && responsesPaths.has(path.replace(/\/compact$/, ''))) {
    send(respondToPost({ path, headers, body }, run));
    return;
  }
  const routed = sideResponse({ method, path, headers, body: body.toString('utf8') }, run);
  if (routed === undefined) onEvent({ type: 'unrouted', method, target });
  send(routed ?? notFound);
}

/** Refuses an upgrade, and ends the connection. */
function refuseUpgrade(socket: Duplex, { status, headers, body }: HttpResponse): void {
  socket.end(closingResponse({ status, headers, body }), () => socket.destroy());
}

function write(response: Response, { status, headers, body, ending }: HttpResponse): void {
  const bytes = Buffer.from(body);
  const length = ['content-length', String(bytes.length)] as const;
  const content = beginResponse(response, {
    status,
    headers: ending === undefined ? [...headers, length] : headers,
  });
  if (ending === undefined) {
    content.end(bytes);
    return;
  }
  if (response instanceof ServerResponse) response.flushHeaders();
  content.write(bytes, () => ending === 'cut' && cutOff(response));
}

function pathOf(target: string): string {
  return target.replace(/\?.*$/s, '').replace(/\/{2,}/g, '/');
}
