import { hash } from 'node:crypto';
import type { SharedState } from '../state/shared-state.ts';
import type { LastResponse } from './history.ts';
import type { Turn } from './turn.ts';
import type { TurnRequest } from './turn-request.ts';

/** The longest conversation that is shared, in UTF-16 code units. The backend takes no longer request over its websocket. */
const longestConversation = 16 * 1024 * 1024;

/** Milliseconds for which a response is kept that another one follows: the client may not have received that one. */
const replacedLifetime = 5 * 60_000;

/** Milliseconds to wait for a state that is away, when the request would fail without it. */
const patience = 5000;

/** Finds the session of a request in the shared state. */
export type SharedPlace = {
  /** The key of the session; see SessionKey. Undefined if nothing names it. */
  readonly key: string | undefined;
  /** Clients with different values share no response. */
  readonly caller: string;
};

/** What other processes of the proxy know of a session. */
export type SharedSession = {
  /** Its id. */
  readonly id: string;
  /** Its last response, or the one that the request continues from. Undefined if this process has it already. */
  readonly last: LastResponse | undefined;
  /** Its last turn. */
  readonly turn: Turn | undefined;
};

type WrittenSession = {
  readonly id: string;
  readonly turn: Turn;
  readonly last: LastResponse;
  readonly isContinuable: boolean;
};

/** The sessions in the shared state: each by its key, and by its last responses. They are forgotten after a time. */
export class SharedSessions {
  readonly #state: SharedState;
  readonly #lifetime: number;

  /** @param lifetime milliseconds after which an unused session is forgotten */
  constructor(state: SharedState, lifetime: number) {
    this.#state = state;
    this.#lifetime = lifetime;
  }

  /**
   * Returns what is known of the session of a request. `knows`: whether this process has a response with its conversation. Of
   * several processes that receive the first request of a session at once, one decides its id.
   */
  async read(
    { key, caller }: SharedPlace,
    request: TurnRequest,
    { knows, newId }: { readonly knows: (responseId: string) => boolean; readonly newId: () => string },
  ): Promise<SharedSession | undefined> {
    const stated = request.previousResponseId;
    const wanted = stated === undefined || knows(stated) ? undefined : stated;
    const [named, found] = await this.#records([
      key === undefined ? undefined : sessionKey(key),
      wanted === undefined ? undefined : responseKey(caller, wanted),
    ]);
    const response = found ?? (await this.#missing(caller, wanted));
    const session = named ?? (key === undefined ? response : await this.#begin(key, newId()));
    if (session === undefined) return undefined;
    const { id, turn, last: lastId } = session;
    if (stated !== undefined) return { id, turn: response?.turn ?? turn, last: response?.last };
    const needsLast = lastId !== undefined && continuesSilently(request) && !knows(lastId.id);
    if (!needsLast) return { id, turn, last: undefined };
    const [kept] = await this.#records([responseKey(caller, lastId.id)]);
    return { id, turn, last: kept?.last };
  }

  /** Calls a listener each time that sessions can be stored again. */
  onReturn(listener: () => void): () => void {
    return this.#state.onReturn(listener);
  }

  /**
   * Stores a session after a response. Returns whether it is stored. `before`: the response that this one follows.
   * `isContinuable`: whether a request may continue from the response; otherwise its conversation is not stored.
   */
  async write(
    { key, caller }: SharedPlace,
    { isContinuable, ...session }: WrittenSession,
    before: string | undefined,
  ): Promise<boolean> {
    const { id, items } = session.last;
    const isShort =
      items !== undefined && items.reduce((sum, item) => sum + item.length, 0) <= longestConversation;
    const last = { id, items: isShort ? items : undefined };
    const stored = await Promise.all([
      !isContinuable ||
        this.#state.set(responseKey(caller, id), printRecord({ ...session, last }), this.#lifetime),
      key === undefined ||
        this.#state.set(
          sessionKey(key),
          printRecord({ ...session, last: { id, items: undefined } }),
          this.#lifetime,
        ),
    ]);
    if (before !== undefined && before !== id) {
      void this.#state.expire(responseKey(caller, before), Math.min(replacedLifetime, this.#lifetime));
    }
    return stored.every((isStored) => isStored);
  }

  async #begin(key: string, id: string): Promise<SharedSession | undefined> {
    const text = printRecord({ id, turn: undefined, last: undefined });
    if ((await this.#state.add(sessionKey(key), text, this.#lifetime)) !== 'exists') {
      return { id, turn: undefined, last: undefined };
    }
    const [first] = await this.#records([sessionKey(key)]);
    return first && { ...first, last: undefined };
  }

  /** Returns a response that was not found: another process may not have stored it yet. */
  async #missing(caller: string, wanted: string | undefined): Promise<SharedSession | undefined> {
    if (wanted === undefined) return undefined;
    const [record] = await this.#records([responseKey(caller, wanted)], patience);
    return record;
  }

  /** Returns the records under keys, undefined where there is none. */
  async #records(
    keys: readonly (string | undefined)[],
    patience = 0,
  ): Promise<(SharedSession | undefined)[]> {
    const texts = await this.#state.get(
      keys.filter((key) => key !== undefined),
      patience,
    );
    const found = new Map(keys.filter((key) => key !== undefined).map((key, index) => [key, texts[index]]));
    return keys.map((key) => {
      const text = key === undefined ? undefined : found.get(key);
      return text === undefined ? undefined : readRecord(text);
    });
  }
}

/** Whether a request without `previous_response_id` expects the backend to know the session's last response. */
function continuesSilently({ hasConversation, input }: TurnRequest): boolean {
  return hasConversation || input.some((item) => item.includes('"item_reference"'));
}

function sessionKey(key: string): string {
  return `session:${key}`;
}

function responseKey(caller: string, id: string): string {
  return `response:${hash('sha256', JSON.stringify([caller, id]))}`;
}

/** Items stay JSON texts as they were spelled. */
function printRecord({ id, turn, last }: SharedSession): string {
  return JSON.stringify({
    id,
    ...(turn !== undefined && { turn: { values: [...turn.values], state: turn.state } }),
    ...(last !== undefined && { last }),
  });
}

/** Returns undefined for a text that printRecord has not written. */
function readRecord(text: string): SharedSession | undefined {
  try {
    const { id, turn, last }: StoredRecord = JSON.parse(text);
    return {
      id,
      turn: turn && { values: new Map(turn.values), state: turn.state },
      last: last && { id: last.id, items: last.items },
    };
  } catch {
    return undefined;
  }
}

type StoredRecord = {
  readonly id: string;
  readonly turn?: { readonly values: readonly (readonly [string, string])[]; readonly state?: string };
  readonly last?: { readonly id: string; readonly items?: readonly string[] };
};
