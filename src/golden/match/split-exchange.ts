import type {
  BodyEvent,
  ConnectionEvent,
  MessageEvent,
  RequestEvent,
  ResponseEvent,
} from '../../trace/trace-event.ts';
import { stringAt } from '../../wire/json.ts';
import type { Side } from '../../wire/message.ts';
import type { Exchange } from '../trace/exchanges.ts';

/** A message or a body: what one side sends after the handshake. */
export type Payload = BodyEvent | MessageEvent;

/** An exchange as it is compared: each side by itself. */
export type SplitExchange = {
  readonly connection: ConnectionEvent;
  readonly request: RequestEvent;
  /** The head of the response; undefined where there was none. */
  readonly response: ResponseEvent | undefined;
  readonly client: readonly Payload[];
  readonly backend: readonly Payload[];
  /** As in Exchange. */
  readonly end?: Side;
};

export function splitExchange({ steps, ...exchange }: Exchange): SplitExchange {
  const from = (side: Side) =>
    steps.flatMap((step) => (step.type !== 'response' && step.from === side ? [step] : []));
  return {
    ...exchange,
    response: steps.find((step) => step.type === 'response'),
    client: from('client'),
    backend: from('backend'),
  };
}

/** The `type` of a JSON message; undefined for every other payload. */
export function messageType(payload: Payload): string | undefined {
  return payload.type === 'message' && payload.content.kind === 'json'
    ? stringAt(payload.content.json, 'type')
    : undefined;
}
