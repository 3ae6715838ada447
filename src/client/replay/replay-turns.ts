import type { Exchange, Step } from '../../golden/trace/exchanges.ts';
import type { BodyEvent, HeaderField, MessageEvent } from '../../trace/trace-event.ts';
import { type JsonNode, stringAt, tryParseJson } from '../../wire/json.ts';
import type { ReceivedEvent } from './raw-connection.ts';

/** What a replay waits for: something that the backend said in the recording. */
export type ExpectedEvent =
  | { readonly kind: 'response'; readonly status: number; readonly headers: readonly HeaderField[] }
  /** A JSON message or server-sent event of that type. */
  | { readonly kind: 'json'; readonly json: JsonNode }
  /** A message that is not JSON. */
  | { readonly kind: 'text' | 'binary' }
  /** The end of an HTTP body. */
  | { readonly kind: 'body' }
  /** The end of the connection, with a close message or without. */
  | { readonly kind: 'end' };

/** One thing that a client does, and what it hears before the next. */
export type ReplayTurn = { readonly say: MessageEvent | undefined; readonly hear: readonly ExpectedEvent[] };

/**
 * An exchange as its client goes through it: first the request, so nothing else is said, then its websocket messages;
 * after each what the backend said until the next.
 */
export function replayTurns({ steps, end }: Exchange): ReplayTurn[] {
  const turns: { readonly say: MessageEvent | undefined; readonly hear: ExpectedEvent[] }[] = [
    { say: undefined, hear: [] },
  ];
  for (const step of steps) {
    if (step.type === 'message' && step.from === 'client') turns.push({ say: step, hear: [] });
    else turns.at(-1)?.hear.push(...awaited(step, end));
  }
  if (end === 'backend') turns.at(-1)?.hear.push({ kind: 'end' });
  return turns;
}

/** The body of the request, where it has one. */
export function requestBody({ steps }: Exchange): BodyEvent | undefined {
  return steps.find((step): step is BodyEvent => step.type === 'body' && step.from === 'client');
}

function awaited(step: Step, end: Exchange['end']): ExpectedEvent[] {
  if (step.type === 'response') return [{ kind: 'response', status: step.status, headers: step.headers }];
  if (step.from === 'client') return [];
  const { content } = step;
  if (step.type === 'body') {
    const events = content.kind === 'events' ? content.events : [];
    const all = events.map(({ data }): ExpectedEvent => ({ kind: 'json', json: data }));
    // A body that the client itself broke off is heard as far as it had come.
    return step.complete || end === 'backend' ? [...all, { kind: 'body' }] : all;
  }
  if (step.opcode === 'ping' || step.opcode === 'pong') return [];
  if (step.opcode === 'binary') return [{ kind: 'binary' }];
  if (content.kind === 'json') return [{ kind: 'json', json: content.json }];
  return [{ kind: content.kind === 'close' ? 'end' : 'text' }];
}

/** True where what was heard is what was awaited, whatever it says. */
export function matches(heard: ReceivedEvent, wanted: ExpectedEvent): boolean {
  switch (wanted.kind) {
    case 'response':
    case 'body':
      return heard.type === wanted.kind;
    case 'json': {
      const said = jsonOf(heard);
      return said !== undefined && stringAt(said, 'type') === stringAt(wanted.json, 'type');
    }
    case 'text':
      return heard.type === 'message' && heard.message.opcode === 'text' && jsonOf(heard) === undefined;
    case 'binary':
      return heard.type === 'message' && heard.message.opcode === 'binary';
    case 'end':
      return isEnd(heard);
  }
}

/** True for the end of a connection, and for the close message that announces it. */
export function isEnd(heard: ReceivedEvent): boolean {
  return heard.type === 'end' || (heard.type === 'message' && heard.message.opcode === 'close');
}

/** The document of a message or a server-sent event; undefined where it is none. */
export function jsonOf(heard: ReceivedEvent): JsonNode | undefined {
  if (heard.type === 'event') return tryParseJson(heard.data)?.node;
  if (heard.type !== 'message' || heard.message.opcode !== 'text') return undefined;
  return tryParseJson(heard.message.payload.toString('utf8'))?.node;
}

/** What is awaited, in words. */
export function describe(wanted: ExpectedEvent): string {
  switch (wanted.kind) {
    case 'response':
      return 'an answer';
    case 'json':
      return stringAt(wanted.json, 'type') ?? 'a JSON message';
    case 'text':
      return 'a text message';
    case 'binary':
      return 'a binary message';
    case 'body':
      return 'the end of the answer';
    case 'end':
      return 'the end of the connection';
  }
}
