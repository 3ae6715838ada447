import type { Exchange, Step } from '../../golden/trace/exchanges.ts';
import type { BodyEvent, HeaderField, MessageEvent } from '../../trace/trace-event.ts';
import { textOf } from '../../wire/content-collector.ts';
import { type JsonNode, member, stringAt, tryParseJson } from '../../wire/json.ts';
import type { ReceivedEvent } from './received-events.ts';

/** Something that the backend sent in the recording, and that the replay waits for. */
export type ExpectedEvent =
  | { readonly kind: 'response'; readonly status: number; readonly headers: readonly HeaderField[] }
  /** A JSON message or server-sent event of the same type. */
  | { readonly kind: 'json'; readonly json: JsonNode }
  /** A message that is not JSON. */
  | { readonly kind: 'text' | 'binary' }
  /** The end of an HTTP body. */
  | { readonly kind: 'body' }
  /** The end of the connection, with a close message or without. */
  | { readonly kind: 'end' };

/** What the client sends, and what it then waits for. */
export type ReplayTurn = {
  /** Absent for the request itself. */
  readonly message: MessageEvent | undefined;
  readonly expected: readonly ExpectedEvent[];
};

/** The turns of an exchange: first the request, then each websocket message of the client. */
export function replayTurns({ steps, end }: Exchange): ReplayTurn[] {
  const request = { message: undefined, expected: [] as ExpectedEvent[] };
  const turns: (ReplayTurn & { readonly expected: ExpectedEvent[] })[] = [request];
  for (const step of steps) {
    if (step.type === 'message' && step.from === 'client') turns.push({ message: step, expected: [] });
    else turns.at(-1)?.expected.push(...expectedEvents(step, end));
  }
  if (end === 'backend') turns.at(-1)?.expected.push({ kind: 'end' });
  return turns;
}

/** The body of the request; undefined when it has none. */
export function requestBody({ steps }: Exchange): BodyEvent | undefined {
  return steps.find((step): step is BodyEvent => step.type === 'body' && step.from === 'client');
}

function expectedEvents(step: Step, end: Exchange['end']): ExpectedEvent[] {
  if (step.type === 'response') return [{ kind: 'response', status: step.status, headers: step.headers }];
  if (step.from === 'client') return [];
  const { content } = step;
  if (step.type === 'body') {
    const events = content.kind === 'events' ? content.events : [];
    const all = events.map(({ data }): ExpectedEvent => ({ kind: 'json', json: data }));
    // A body that the client cut off has no end to wait for.
    return step.complete || end === 'backend' ? [...all, { kind: 'body' }] : all;
  }
  if (step.opcode === 'ping' || step.opcode === 'pong') return [];
  if (step.opcode === 'binary') return [{ kind: 'binary' }];
  if (content.kind === 'json') return [{ kind: 'json', json: content.json }];
  return [{ kind: content.kind === 'close' ? 'end' : 'text' }];
}

/** Whether a received event is of the expected kind. JSON must have the same type; other contents may differ. */
export function matches(received: ReceivedEvent, expected: ExpectedEvent): boolean {
  switch (expected.kind) {
    case 'response':
    case 'body':
      return received.type === expected.kind;
    case 'json': {
      const json = jsonOf(received);
      return json !== undefined && stringAt(json, 'type') === stringAt(expected.json, 'type');
    }
    case 'text':
      return (
        received.type === 'message' && received.message.opcode === 'text' && jsonOf(received) === undefined
      );
    case 'binary':
      return received.type === 'message' && received.message.opcode === 'binary';
    case 'end':
      return isEnd(received);
  }
}

/** True for the end of a connection, and for the close message before it. */
export function isEnd(received: ReceivedEvent): boolean {
  return received.type === 'end' || (received.type === 'message' && received.message.opcode === 'close');
}

/** Whether an event ends a response with an error. A proxy's own error may be an object that has no type. */
export function isErrorEvent(json: JsonNode | undefined): boolean {
  const type = stringAt(json, 'type');
  if (type !== undefined) return type === 'error' || type === 'response.failed';
  return ['error', 'detail'].some((key) => member(json, key) !== undefined);
}

/** The JSON of a message or server-sent event; undefined for anything else. */
export function jsonOf(received: ReceivedEvent): JsonNode | undefined {
  if (received.type === 'event') return tryParseJson(received.data)?.node;
  if (received.type !== 'message' || received.message.opcode !== 'text') return undefined;
  return tryParseJson(textOf(received.message.payload))?.node;
}

const eventNames: Readonly<Record<Exclude<ExpectedEvent['kind'], 'json'>, string>> = {
  response: 'a response',
  text: 'a text message',
  binary: 'a binary message',
  body: 'the end of the response',
  end: 'the end of the connection',
};

/** Names an expected event in an error message. */
export function describe(expected: ExpectedEvent): string {
  if (expected.kind !== 'json') return eventNames[expected.kind];
  return stringAt(expected.json, 'type') ?? 'a JSON message';
}
