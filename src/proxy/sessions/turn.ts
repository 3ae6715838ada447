import type { DeltasHandler } from '../http/deltas.ts';
import type { ApiError } from '../http/errors.ts';
import type { BackendResponse } from '../http/upstream/send-upstream.ts';
import type { TurnRecorder } from './history.ts';
import type { TurnRequest } from './turn-request.ts';
import type { EventHandler } from './upstream-connection.ts';

export type TurnOptions = {
  readonly request: TurnRequest;
  readonly signal: AbortSignal;
  readonly onEvent: EventHandler;
  /** Receives deltas instead of `onEvent`, if they come as bytes. */
  readonly onDeltas?: DeltasHandler | undefined;
  /**
   * Discards all events so far, so that the turn can be retried. Returns false if some have already reached the client.
   * Without it, they have.
   */
  readonly discardEvents?: () => boolean;
  /** Called before the client receives that a response is complete. */
  readonly beforeCompleted?: (turn: Turn) => Promise<void>;
};

export type TurnResult =
  /** Events. `last` is the text of the last one. */
  { readonly kind: 'events'; readonly last: string } | UpstreamRefusal;

/** An HTTP response without events, which is passed to the client. */
export type UpstreamRefusal = { readonly kind: 'response'; readonly response: BackendResponse };

/** What all requests of a turn share. A request with the output of a tool belongs to the turn that called the tool. */
export type Turn = {
  /** Values of the golden's variables, such as the turn's id and start time. */
  readonly values: Map<string, string>;
  /** The turn state to return to the backend. The first one counts (measured: codex 0.169.0). */
  state: string | undefined;
};

export function newTurn(): Turn {
  return { values: new Map(), state: undefined };
}

/** One attempt at a request, over either transport. */
export type TurnAttempt = Omit<TurnOptions, 'discardEvents' | 'beforeCompleted'> &
  Pick<TurnRecorder, 'fullInput'> & {
    readonly turn: Turn;
    /**
     * Reports an error that the backend sent to the holder of a sign-in; see holderOf. Returns whether the request can be
     * sent again, for another account. Then the client does not receive the error.
     */
    readonly changesAccount: (error: ApiError, holder: string) => boolean;
  };
