import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { BackendEvent } from '../../src/backend/event.ts';
import type { Reply } from '../../src/backend/script.ts';
import { type Backend, startBackend } from '../../src/backend/server.ts';

export type StreamEvent = { readonly type: string; readonly [member: string]: unknown };

/** A backend for one test, with everything it told its owner so far. */
export async function backendWith(
  ...script: Reply[]
): Promise<{ readonly backend: Backend; readonly events: BackendEvent[] }> {
  const events: BackendEvent[] = [];
  const backend = await startBackend({ script, onEvent: (event) => events.push(event) });
  onTestFinished(() => backend.close());
  return { backend, events };
}

/** A websocket to /responses on which one request after the other can be made. */
export async function connect(backend: Backend, path = '/backend-api/codex/responses') {
  const socket = new WebSocket(`ws://127.0.0.1:${backend.port}${path}`);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  return {
    socket,
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
