import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { WebSocket } from 'ws';
import {
  errorFrame,
  type RequestBody,
  responseEvents,
  sendAll,
  startTestBackend,
  type TestBackend,
} from './setup.ts';

/**
 * A backend that knows a response on its own connection only, as the real one does. The text of a response is that of all
 * messages of the conversation, in order: of the user, and in brackets of the model.
 */
export async function startConversingBackend(
  options: {
    /** Called before each response. */
    readonly before?: (text: string, socket: WebSocket) => Promise<void> | void;
  } = {},
): Promise<TestBackend & { readonly notFound: () => number }> {
  const known = new WeakMap<WebSocket, Map<string, string>>();
  let notFound = 0;
  const responsesOf = (socket: WebSocket) => {
    const responses = known.get(socket) ?? new Map<string, string>();
    known.set(socket, responses);
    return responses;
  };
  const backend = await startTestBackend({
    prewarm: (socket) => {
      const id = `resp_warm_${randomUUID()}`;
      responsesOf(socket).set(id, '');
      sendAll(socket, responseEvents('', id));
    },
    message: (socket, body) => {
      void respond(socket, body);
    },
  });
  const respond = async (socket: WebSocket, { previous_response_id: previous, input }: RequestBody) => {
    const before = previous === undefined ? '' : responsesOf(socket).get(previous);
    if (before === undefined) {
      notFound += 1;
      socket.send(errorFrame(400, 'previous_response_not_found'));
      return;
    }
    const text = before + input.map(textOf).join('');
    await options.before?.(text, socket);
    const id = `resp_${randomUUID()}`;
    responsesOf(socket).set(id, `${text}[${text}]`);
    sendAll(socket, responseEvents(text, id));
  };
  return { ...backend, notFound: () => notFound };
}

/** The text of an item of the input. */
function textOf(item: unknown): string {
  const { role, content, output } = item as Item;
  const text = (content ?? []).map((part) => part.text).join('');
  return output ?? (role === 'assistant' ? `[${text}]` : text);
}

type Item = {
  readonly role?: string;
  readonly content?: readonly { readonly text: string }[];
  readonly output?: string;
};

/** The text of the response to the last of a conversation's messages, in turns of their own. */
export function expectedText(messages: readonly string[]): string {
  let text = '';
  let conversation = '';
  for (const message of messages) {
    text = conversation + message;
    conversation = `${text}[${text}]`;
  }
  return text;
}

type PlayTurn = (origin: string, body: object) => Promise<{ readonly id: string; readonly text: string }>;

/**
 * Plays a conversation, each turn of which continues from the last response, at one proxy after the other. Returns its messages and
 * the id of the last response.
 */
export async function converse(turn: PlayTurn, origins: readonly string[]) {
  const messages: string[] = [];
  let previous: string | undefined;
  for (const origin of origins) {
    messages.push(`m${messages.length} `);
    const body = {
      input: messages.at(-1),
      ...(previous !== undefined && { previous_response_id: previous }),
    };
    const { id, text } = await turn(origin, body);
    expect(text).toBe(expectedText(messages));
    previous = id;
  }
  return { messages, previous };
}
