import { hash } from 'node:crypto';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import type { RequestContext } from '../request-context.ts';
import { claimOf } from './claim.ts';
import type { TakeEvent } from './connection.ts';
import { eventType } from './event.ts';
import { Session, type TurnResult } from './session.ts';
import type { TurnRequest } from './turn-request.ts';

export type RunTurnOptions = {
  readonly request: TurnRequest;
  readonly take: TakeEvent;
  /** See Session#turn. By default a response that has begun is never forgotten. */
  readonly forget?: () => boolean;
  /** The session of the websocket that the request came over, for clients that name none. */
  readonly own?: () => Session;
};

/** Takes a turn to the backend in the session it belongs to. Throws as Session does. */
export async function runTurn(context: RequestContext, options: RunTurnOptions): Promise<TurnResult> {
  const { headers, sessions, signal } = context;
  const { request, take, forget = () => false, own } = options;
  const caller = callerOf(headers);
  const claim = claimOf(headers, request, caller);
  const session = own === undefined || claim.stated ? sessions.find(claim, request.previous, caller) : own();
  if (request.dropped.length > 0) {
    context.log.debug({ dropped: request.dropped }, 'members were left out that the backend refuses');
  }
  let ending = 'failed';
  try {
    const result = await session.turn(request, signal, take, forget);
    if (result.kind === 'events') ending = eventType(result.last);
    return result;
  } finally {
    context.metrics.add('turns_total', 1, `ending=${ending}`);
    sessions.answered(session, caller);
  }
}

/** A session of its own, for a websocket whose client names none. */
export function sessionOfWebSocket(context: RequestContext, request: TurnRequest): Session {
  return new Session(context, claimOf(context.headers, request, '').identity());
}

/** Clients that show different keys share no session. */
function callerOf(headers: HeaderList): string {
  const shown = headerValue(headers, 'authorization') ?? headerValue(headers, 'x-api-key');
  return shown === undefined ? '' : hash('sha256', shown, 'base64');
}
