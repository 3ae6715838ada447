import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type Backend, type BackendOptions, startBackend } from '../../src/backend/backend.ts';
import type { BackendEvent } from '../../src/backend/backend-event.ts';
import type { ScriptedReply } from '../../src/backend/reply.ts';

export type StreamEvent = { readonly type: string; readonly [member: string]: unknown };

/** A backend for one test, with everything it told its owner so far. */
export async function backendWith(
  ...script: ScriptedReply[]
): Promise<{ readonly backend: Backend; readonly events: BackendEvent[] }> {
  return backendOf({ script });
}

export async function backendOf(
  options: Omit<BackendOptions, 'onEvent'>,
): Promise<{ readonly backend: Backend; readonly events: BackendEvent[] }> {
  const events: BackendEvent[] = [];
  const backend = await startBackend({ ...options, onEvent: (event) => events.push(event) });
  onTestFinished(() => backend.close());
  return { backend, events };
}

/** A websocket to /responses on which one request after the other can be made. */
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
    socket.emit('told');
  });
  return {
    socket,
    /** Sends one frame. */
    say: (message: unknown) => socket.send(JSON.stringify(message)),
    /** Resolves with all messages so far as soon as there are so many: texts, and bytes for binary ones. */
    heard: async (count: number): Promise<(string | Buffer)[]> => {
      while (messages.length < count) await once(socket, 'told');
      return messages;
    },
    /** Resolves with all messages and the code of the close, when the connection has ended. */
    ended: async (): Promise<{ messages: (string | Buffer)[]; code: number }> => {
      const [code] = await once(socket, 'close');
      return { messages, code };
    },
    /** Sends one frame and resolves with all events up to the one that ends the response. */
    ask: (message: unknown): Promise<StreamEvent[]> => {
      const events: StreamEvent[] = [];
      return new Promise((resolve) => {
        const hear = (data: WebSocket.RawData) => {
          const event: StreamEvent = JSON.parse(String(data));
          events.push(event);
          if (event.type !== 'response.completed' && event.type !== 'error') return;
          socket.off('message', hear);
          resolve(events);
        };
        socket.on('message', hear);
        socket.send(typeof message === 'string' ? message : JSON.stringify(message));
      });
    },
  };
}

export const turn = { type: 'response.create', model: 'gpt-test', stream: true, input: [] };
export const prewarm = { ...turn, generate: false };

/** The id of the response that a stream of events is about. */
export function responseId(events: readonly StreamEvent[]): unknown {
  const response = events[0]?.response;
  return typeof response === 'object' && response !== null && 'id' in response ? response.id : undefined;
}

/**
 * Makes a request by POST; `events` are the server-sent ones as far as they came, and `complete` is false for a body
 * cut short.
 */
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

/** The types of events; a text that is no JSON stands as it is. */
export function typesOf(messages: readonly (string | Buffer)[]): (string | Buffer)[] {
  return messages.map((message) => {
    if (Buffer.isBuffer(message) || !message.startsWith('{')) return message;
    const event: StreamEvent = JSON.parse(message);
    return event.type;
  });
}
