import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { pairHeaders } from '../wire/headers.ts';
import { isInterrupt } from './create-request.ts';
import { type BackendRun, respond, senderOf } from './respond.ts';
import type { CloseCode, Recipient } from './script.ts';
import type { ScriptedResponse, StreamPart } from './scripted-response.ts';

/** The websocket side of /responses: takes over upgraded sockets and ends them all on `close`. */
export type ResponsesWebSocket = {
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  close(): void;
};

/**
 * The client offers `permessage-deflate; client_max_window_bits` and compresses every frame once it is accepted. It is
 * accepted here without parameters, as the real backend's answer is not known to carry any.
 */
export function responsesWebSocket(stage: BackendRun): ResponsesWebSocket {
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  return {
    accept: (request, socket, head) => {
      const from = senderOf(pairHeaders(request.rawHeaders));
      server.handleUpgrade(request, socket, head, (client) => converse(client, from, stage));
    },
    close: () => {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  };
}

function converse(client: WebSocket, from: Recipient, stage: BackendRun): void {
  /** The rest of the response that is held back. */
  let held: readonly StreamPart[] = [];
  // An interrupted client drops the TCP connection in mid-frame; that is how it behaves, and no error here.
  client.on('error', () => {});
  client.on('message', (data, isBinary) => {
    if (isBinary) {
      stage.onEvent({ type: 'not-understood', transport: 'websocket', reason: 'a binary message' });
      return;
    }
    const text = textOf(data);
    if (held.length > 0 && isInterrupt(text)) {
      say(client, held);
      held = [];
      return;
    }
    const answer = respond({ text, transport: 'websocket', from }, stage);
    if (answer.kind === 'refused') {
      say(client, [errorFrame(answer)]);
      return;
    }
    const { turnState, said, ending } = answer;
    const told = say(client, turnState === undefined ? said : [turnStateEvent(turnState), ...said]);
    held = ending !== undefined && 'hold' in ending ? ending.hold : [];
    if (ending !== undefined && 'close' in ending) told.then(() => end(client, ending.close));
  });
}

/** What is an HTTP status, a body and headers over HTTP is one message here. */
function errorFrame({
  status,
  error,
  headers = [],
}: ScriptedResponse & { readonly kind: 'refused' }): string {
  const told = headers.length === 0 ? '' : `,"headers":${JSON.stringify(Object.fromEntries(headers))}`;
  return `{"type":"error","status":${status},"error":${error}${told}}`;
}

/** Resolves when all is on its way; to a client that is gone nothing is said. */
async function say(client: WebSocket, said: readonly StreamPart[]): Promise<void> {
  const messages = said.map((one) =>
    typeof one === 'string' || Buffer.isBuffer(one) ? one : JSON.stringify(one),
  );
  await Promise.all(messages.map((one) => new Promise<void>((sent) => client.send(one, () => sent()))));
}

function end(client: WebSocket, close: CloseCode): void {
  if (close === null) client.terminate();
  else client.close(close);
}

/** What is a response header over HTTP is an event here (measured: codex 0.169.0, scenario turn-state). */
function turnStateEvent(turnState: string) {
  return { type: 'response.metadata', headers: { 'x-codex-turn-state': turnState } };
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return (data instanceof ArrayBuffer ? Buffer.from(data) : data).toString('utf8');
}
