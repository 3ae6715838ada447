import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type Backend, type BackendOptions, startBackend } from '../../src/backend/backend.ts';
import type { ScriptedReply } from '../../src/backend/reply.ts';
import type { BackendObservation } from '../../src/backend/respond.ts';

export type StreamEvent = { readonly type: string; readonly [member: string]: unknown };

/** A backend for one test, with the events that it reported so far. */
export async function backendWith(
  ...script: ScriptedReply[]
): Promise<{ readonly backend: Backend; readonly events: BackendObservation[] }> {
  return backendOf({ script });
}

export async function backendOf(
  options: Omit<BackendOptions, 'onEvent'>,
): Promise<{ readonly backend: Backend; readonly events: BackendObservation[] }> {
  const events: BackendObservation[] = [];
  const backend = await startBackend({ ...options, onEvent: (event) => events.push(event) });
  onTestFinished(() => backend.close());
  return { backend, events };
}

/** Connects a websocket to /responses. */
export async function connect(
  backend: Backend,
  path = '/backend-api/codex/responses',
  headers: Readonly<Record<string, string>> = {},
) {
  const socket = new WebSocket(`ws://127.0.0.1:${backend.port}${path}`, { headers });
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  const messages: (string | Buffer)[] = [];
  socket.on('message', (data, isBinary) => {
    messages.push(isBinary && Buffer.isBuffer(data) ? data : String(data));
    socket.emit('received');
  });
  return {
    socket,
    /** Sends one message. */
    send: (message: unknown) => socket.send(JSON.stringify(message)),
    /** Resolves with all messages so far, as soon as there are `count`: strings, and bytes for binary messages. */
    received: async (count: number): Promise<(string | Buffer)[]> => {
      while (messages.length < count) await once(socket, 'received');
      return messages;
    },
    /** Resolves with all messages and the close code when the connection has ended. */
    ended: async (): Promise<{ messages: (string | Buffer)[]; code: number }> => {
      const [code] = await once(socket, 'close');
      return { messages, code };
    },
    /** Sends one message, and resolves with all events up to the end of the response. */
    request: (message: unknown): Promise<StreamEvent[]> => {
      const events: StreamEvent[] = [];
      return new Promise((resolve) => {
        const receive = (data: WebSocket.RawData) => {
          const event: StreamEvent = JSON.parse(String(data));
          events.push(event);
          if (event.type !== 'response.completed' && event.type !== 'error') return;
          socket.off('message', receive);
          resolve(events);
        };
        socket.on('message', receive);
        socket.send(typeof message === 'string' ? message : JSON.stringify(message));
      });
    },
  };
}

export const turn = { type: 'response.create', model: 'gpt-test', stream: true, input: [] };
export const prewarm = { ...turn, generate: false };

/** The response id in a stream of events. */
export function responseId(events: readonly StreamEvent[]): unknown {
  const response = events[0]?.response;
  return typeof response === 'object' && response !== null && 'id' in response ? response.id : undefined;
}

/** Sends a POST. `datas` has the server-sent events that arrived; `complete` is false for a body that was cut off. */
export async function post(
  backend: Backend,
  message: unknown,
  {
    path = '/backend-api/codex/responses',
    headers = {},
  }: { path?: string; headers?: Record<string, string> } = {},
) {
  const response = await fetch(backend.origin + path, {
    method: 'POST',
    body: JSON.stringify(message),
    headers,
  });
  const chunks: Buffer[] = [];
  let complete = true;
  try {
    for await (const chunk of response.body ?? []) chunks.push(Buffer.from(chunk));
  } catch {
    complete = false;
  }
  const bytes = Buffer.concat(chunks);
  const datas = [...bytes.toString('utf8').matchAll(/^data: (.*)$/gm)].map(([, data = '']) => data);
  return { status: response.status, headers: response.headers, bytes, datas, complete };
}

/** The types of events. Text that is not JSON is kept as it is. */
export function typesOf(messages: readonly (string | Buffer)[]): (string | Buffer)[] {
  return messages.map((message) => {
    if (Buffer.isBuffer(message) || !message.startsWith('{')) return message;
    const event: StreamEvent = JSON.parse(message);
    return event.type;
  });
}
