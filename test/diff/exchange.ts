import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import type { Content } from '../../src/trace/trace-event.ts';
import { jsonString, parseJson } from '../../src/wire/json.ts';
import type { Side } from '../../src/wire/message.ts';
import { exchangeOf as upgraded } from '../golden/sample-run.ts';

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

/** An upgrade on a plain connection, and what followed. */
export function exchangeOf(steps: readonly Step[], originator = 'codex_exec'): Exchange {
  const { connection, request } = upgraded();
  return { connection, request: { ...request, headers: [['originator', jsonString(originator)]] }, steps };
}
