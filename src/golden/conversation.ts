import type {
  BodyEvent,
  ConnectionEvent,
  MessageEvent,
  RequestEvent,
  ResponseEvent,
} from '../trace/event.ts';
import { stringAt } from '../wire/json.ts';
import type { Side } from '../wire/message.ts';
import type { Exchange } from './dialogue.ts';

/** What one side says after a handshake. */
export type Spoken = BodyEvent | MessageEvent;

/** A list of what was said. It may be longer than memory: each step is read when it is asked for. */
export type Steps = {
  readonly length: number;
  readonly step: (at: number) => Spoken;
  /** The `type` of a JSON message; undefined for everything else. */
  readonly type: (at: number) => string | undefined;
};

/** An exchange as it is compared: each side by itself. */
export type Conversation = {
  readonly connection: ConnectionEvent;
  readonly request: RequestEvent;
  /** The head of the answer; undefined where there was none. */
  readonly response: ResponseEvent | undefined;
  readonly client: Steps;
  readonly backend: Steps;
  /** As in Exchange. */
  readonly end?: Side;
};

export function conversationOf({ steps, ...exchange }: Exchange): Conversation {
  return {
    ...exchange,
    response: steps.find((step) => step.type === 'response'),
    client: stepsOf(steps, 'client'),
    backend: stepsOf(steps, 'backend'),
  };
}

export function typeOf(step: Spoken): string | undefined {
  return step.type === 'message' && step.content.kind === 'json'
    ? stringAt(step.content.json, 'type')
    : undefined;
}

function stepsOf(all: Exchange['steps'], side: Side): Steps {
  const steps = all.flatMap((step) => (step.type !== 'response' && step.from === side ? [step] : []));
  const step = (at: number): Spoken => {
    const found = steps[at];
    if (found === undefined) throw new RangeError(`there is no step ${at}`);
    return found;
  };
  return { length: steps.length, step, type: (at) => typeOf(step(at)) };
}
