import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { type HeaderList, pairHeaders } from '../wire/headers.ts';
import { isInterrupt } from './create-request.ts';
import { KnownResponses } from './known-responses.ts';
import { type BackendRun, requesterOf, respond } from './respond.ts';
import type { ScriptedResponse, StreamPart } from './scripted-response.ts';

/**
 * The websocket side of /responses. The client offers `permessage-deflate; client_max_window_bits`, and compresses every
 * message once it is accepted. This server accepts without parameters, as the real backend is not known to send any.
 */
export function startWebSocketResponses(run: BackendRun) {
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  return {
    /** Takes over the socket of an upgrade request. */
    accept: (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      const headers = pairHeaders(request.rawHeaders);
      // An API key's requests go to the public API, which has other rules.
      const strict = run.strict && request.url?.startsWith('/backend-api/') === true;
      server.handleUpgrade(request, socket, head, (client) => serveClient(client, { headers, strict }, run));
    },
    /** Ends all websockets. */
    close: (): void => {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  };
}

type ServedUpgrade = { readonly headers: HeaderList; readonly strict: boolean };

function serveClient(client: WebSocket, { headers, strict }: ServedUpgrade, run: BackendRun): void {
  const requester = requesterOf(headers);
  const known = new KnownResponses();
  /** The rest of the response that is on hold. */
  let held: readonly StreamPart[] = [];
  // An interrupted client drops the TCP connection in mid-frame. That is expected, not an error.
  client.on('error', () => {});
  client.on('message', (data, isBinary) => {
    if (isBinary) {
      run.onEvent({ type: 'not-understood', transport: 'websocket', reason: 'a binary message' });
      return;
    }
    const text = messageText(data);
    if (held.length > 0 && isInterrupt(text)) {
      send(client, held);
      held = [];
      return;
    }
    const response = respond({ text, transport: 'websocket', headers, requester, strict, known }, run);
    const sent = send(client, partsOf(response));
    const ending = response.kind === 'stream' ? response.ending : undefined;
    if (response.kind === 'stream') held = ending !== undefined && 'hold' in ending ? ending.hold : [];
    if (ending === undefined || 'hold' in ending) return;
    sent.then(() => (ending.close === null ? client.terminate() : client.close(ending.close)));
  });
}

/**
 * The messages of a response. What HTTP has as status, headers and body is one error frame here, and the turn state is
 * an event (measured: codex 0.169.0, scenario turn-state).
 */
function partsOf(response: ScriptedResponse): readonly StreamPart[] {
  if (response.kind === 'refused') {
    const { status, error, headers } = response;
    const member = headers.length === 0 ? '' : `,"headers":${JSON.stringify(Object.fromEntries(headers))}`;
    return [`{"type":"error","status":${status},"error":${error}${member}}`];
  }
  if (response.kind === 'rejected') {
    const { status, detail } = response;
    const error = { type: 'invalid_request_error', message: detail };
    return [JSON.stringify({ type: 'error', status, error })];
  }
  const { turnState, parts } = response;
  if (turnState === undefined) return parts;
  return [{ type: 'response.metadata', headers: { 'x-codex-turn-state': turnState } }, ...parts];
}

/** Resolves when all parts are written, or the client is gone. */
async function send(client: WebSocket, parts: readonly StreamPart[]): Promise<void> {
  const messages = parts.map((part) =>
    typeof part === 'string' || Buffer.isBuffer(part) ? part : JSON.stringify(part),
  );
  await Promise.all(
    messages.map((message) => new Promise<void>((sent) => client.send(message, () => sent()))),
  );
}

function messageText(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return (data instanceof ArrayBuffer ? Buffer.from(data) : data).toString('utf8');
}
