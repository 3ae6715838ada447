import { hash } from 'node:crypto';
import type { HeaderList } from '../../wire/headers.ts';
import { keysIn } from '../guard.ts';
import { ApiError } from '../http/errors.ts';
import { giveWay } from '../http/give-way.ts';
import type { RequestContext } from '../request-context.ts';
import type { Identity } from '../shape/identity.ts';
import { valuesLength } from '../shape/raw-json.ts';
import { eventType } from './event-fields.ts';
import { sessionKeyOf } from './session-key.ts';
import type { WebSocketSession } from './session-store.ts';
import { stopAt } from './stop-sequences.ts';
import type { TurnOptions, TurnResult } from './turn.ts';
import type { TurnRequest } from './turn-request.ts';

export type RunTurnOptions = Omit<TurnOptions, 'signal' | 'beforeCompleted'> & {
  /** For requests of a websocket that name no session. */
  readonly webSocket?: WebSocketSession;
};

/** Runs a turn in the session that it belongs to. Throws as Session#turn. */
export async function runTurn(context: RequestContext, options: RunTurnOptions): Promise<TurnResult> {
  const { headers, sessions, signal, metrics, log } = context;
  const { request, webSocket } = options;
  await giveWay(valuesLength(request.members));
  const caller = callerOf(headers);
  const sessionKey = sessionKeyOf(headers, request, caller);
  const by = { caller, webSocket };
  const session = await sessions.find(sessionKey, request, by);
  const beforeCompleted = sessions.sharing(session, { ...by, sessionKey, request });
  if (request.droppedParams.length > 0) {
    log.debug({ dropped: request.droppedParams }, 'dropped members that the backend refuses');
  }
  let ending = 'failed';
  try {
    const stop = request.stop.length === 0 ? undefined : stopAt(request.stop, options);
    const result = await session.turn({
      ...options,
      ...(stop && { ...stop.handlers, onDeltas: undefined }),
      ...(beforeCompleted && { beforeCompleted }),
      signal,
    });
    if (result.kind !== 'events') return result;
    const last = stop?.last() ?? result.last;
    ending = eventType(last);
    return { ...result, last };
  } catch (error) {
    // The proxy stops: say so, instead of what follows from it.
    throw signal.reason instanceof ApiError ? signal.reason : error;
  } finally {
    metrics.add('turns_total', 1, `ending=${ending}`);
    sessions.rememberResponse(session, caller);
  }
}

/** Returns the identity of the session that a request belongs to, for a request that is forwarded. */
export async function identityOf(
  { headers, sessions }: RequestContext,
  request: TurnRequest,
): Promise<Identity> {
  const caller = callerOf(headers);
  const session = await sessions.find(sessionKeyOf(headers, request, caller), request, { caller });
  return session.identity;
}

/** Clients with different keys share no session. */
function callerOf(headers: HeaderList): string {
  const keys = keysIn(headers);
  return keys.length === 0 ? '' : hash('sha256', keys.join('\n'), 'base64');
}
