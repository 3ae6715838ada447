import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { answerTo } from './answer.ts';
import type { OnBackendEvent } from './event.ts';
import type { Script } from './script.ts';

/** The websocket side of /responses: takes over upgraded sockets and ends them all on `close`. */
export type ResponsesWebSocket = {
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  close(): void;
};

/**
 * The client offers `permessage-deflate; client_max_window_bits` and compresses every frame once it is accepted. It is
 * accepted here without parameters, as the real backend's answer is not known to carry any.
 */
export function responsesWebSocket(script: Script, onEvent: OnBackendEvent): ResponsesWebSocket {
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  return {
    accept: (request, socket, head) => {
      server.handleUpgrade(request, socket, head, (client) => converse(client, script, onEvent));
    },
    close: () => {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  };
}

function converse(client: WebSocket, script: Script, onEvent: OnBackendEvent): void {
  // An interrupted client drops the TCP connection in mid-frame; that is how it behaves, and no error here.
  client.on('error', () => {});
  client.on('message', (data, isBinary) => {
    if (isBinary) {
      onEvent({ type: 'not-understood', transport: 'websocket', reason: 'a binary message' });
      return;
    }
    reply(client, textOf(data), script, onEvent);
  });
}

function reply(client: WebSocket, text: string, script: Script, onEvent: OnBackendEvent): void {
  const answer = answerTo(text, 'websocket', script, onEvent);
  if (answer.kind === 'error') {
    client.send(JSON.stringify({ type: 'error', status: answer.status, error: answer.error }));
    return;
  }
  for (const event of answer.events) client.send(JSON.stringify(event));
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return (data instanceof ArrayBuffer ? Buffer.from(data) : data).toString('utf8');
}
