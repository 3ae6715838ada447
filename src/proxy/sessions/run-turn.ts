import { hash } from 'node:crypto';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import type { ProxyContext } from '../context.ts';
import { claimOf } from './claim.ts';
import type { TakeEvent } from './connection.ts';
import { eventType } from './event.ts';
import { Session, type TurnResult } from './session.ts';
import type { SessionStore } from './store.ts';
import type { TurnRequest } from './turn-request.ts';

/** Who asks, and by what they can be told apart. */
export type Caller = {
  readonly headers: HeaderList;
  /** The session of the connection that the request came over, for clients that stay on one and name nothing. */
  readonly own?: () => Session;
};

/** Takes a turn to the backend in the session it belongs to. Throws as Session does. */
export async function runTurn(
  context: ProxyContext,
  store: SessionStore,
  { headers, own }: Caller,
  request: TurnRequest,
  signal: AbortSignal,
  take: TakeEvent,
  forget: () => boolean = () => false,
): Promise<TurnResult> {
  const caller = callerOf(headers);
  const claim = claimOf(headers, request, caller);
  const session = own === undefined || claim.stated ? store.find(claim, request.previous, caller) : own();
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
    store.answered(session, caller);
  }
}

/** A session of its own, for a connection. */
export function sessionOfConnection(
  context: ProxyContext,
  headers: HeaderList,
  request: TurnRequest,
): Session {
  return new Session(context, claimOf(headers, request, '').identity());
}

/** Clients that show different keys share no session. */
function callerOf(headers: HeaderList): string {
  const shown = headerValue(headers, 'authorization') ?? headerValue(headers, 'x-api-key');
  return shown === undefined ? '' : hash('sha256', shown, 'base64');
}
