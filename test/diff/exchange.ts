import type { Exchange, Step } from '../../src/golden/dialogue.ts';
import type { Content } from '../../src/trace/event.ts';
import { jsonString, parseJson } from '../../src/wire/json.ts';
import type { Side } from '../../src/wire/message.ts';

/** A message of JSON over the websocket. */
export function message(from: Side, text: string): Step {
  const content = { kind: 'json', json: parseJson(text).node, spaced: false } as const;
  return { type: 'message', exchange: 1, from, opcode: 'text', compressed: false, fragments: 1, content };
}

/** A body of JSON over HTTP, or of server-sent events, each under the name of its type. */
export function body(from: Side, ...texts: readonly string[]): Step {
  const [first = '{}', ...others] = texts;
  const events = texts.map((text) => ({ event: JSON.parse(text).type, data: parseJson(text).node }));
  const content: Content =
    others.length === 0
      ? { kind: 'json', json: parseJson(first).node, spaced: false }
      : { kind: 'events', events };
  return { type: 'body', exchange: 1, from, complete: true, content };
}

export function exchangeOf(steps: readonly Step[], originator = 'codex_exec'): Exchange {
  return {
    connection: { type: 'connection', connection: 1, authority: 'chatgpt.com:443', tls: null },
    request: {
      type: 'request',
      connection: 1,
      exchange: 1,
      method: 'GET',
      target: jsonString('/responses'),
      headers: [['originator', jsonString(originator)]],
    },
    steps,
  };
}
