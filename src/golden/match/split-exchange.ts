import type {
  BodyEvent,
  ConnectionEvent,
  MessageEvent,
  RequestEvent,
  ResponseEvent,
} from '../../trace/trace-event.ts';
import { member, stringAt } from '../../wire/json.ts';
import type { Side } from '../../wire/message.ts';
import type { Exchange } from '../trace/exchanges.ts';

/** A message or a body: what one side sends after the handshake. */
export type Payload = BodyEvent | MessageEvent;

/** What the backend sent: the nth of its payloads, and the index in `client` of the request before it; -1 for none. */
export type BackendPayload = {
  readonly payload: Payload;
  readonly number: number;
  readonly request: number;
};

/** An exchange as it is compared: each side by itself. */
export type SplitExchange = {
  readonly connection: ConnectionEvent;
  readonly request: RequestEvent;
  /** The head of the response; undefined where there was none. */
  readonly response: ResponseEvent | undefined;
  readonly client: readonly Payload[];
  readonly backend: readonly BackendPayload[];
  /** As in Exchange. */
  readonly end?: Side;
};

export function splitExchange({ steps, ...exchange }: Exchange): SplitExchange {
  const client: Payload[] = [];
  const backend: BackendPayload[] = [];
  let request = -1;
  for (const step of steps) {
    if (step.type === 'response') continue;
    if (step.from === 'backend') backend.push({ payload: step, number: backend.length + 1, request });
    else if (client.push(step) > 0 && isRequest(step)) request = client.length - 1;
  }
  return { ...exchange, response: steps.find((step) => step.type === 'response'), client, backend };
}

/** Whether a response may follow. A JSON message without a model, such as one that steers, is part of a turn. */
function isRequest({ content }: Payload): boolean {
  return content.kind === 'json' ? member(content.json, 'model') !== undefined : content.kind !== 'close';
}

/** The `type` of a JSON message; undefined for every other payload. */
export function messageType(payload: Payload): string | undefined {
  return payload.type === 'message' && payload.content.kind === 'json'
    ? stringAt(payload.content.json, 'type')
    : undefined;
}
