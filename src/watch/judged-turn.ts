/** A turn of a thread, judged. It holds verdicts as values; turn-words.ts has the sentences. Times are in milliseconds. */
export type JudgedTurn = {
  /** Its ordinal among all turns that were seen, from 1. */
  readonly id: number;
  /** The ordinal of its session, from 1. */
  readonly session: number;
  /** The kind of the subagent whose thread it belongs to, such as `review`; empty for the thread of the user. */
  readonly agent: string;
  /** Its ordinal within its thread, from 1. */
  readonly number: number;
  /** How often it was tried again after a failure. */
  readonly retries: number;
  /** The requests for a response in it: one, and one for each round of tool outputs. */
  readonly requests: number;
  /** Whether it asks for a summary of the history, and is no turn of the user. */
  readonly compacts: boolean;
  readonly transport: TurnTransport;
  readonly model: string | undefined;
  readonly effort: string | undefined;
  readonly tier: TierVerdict;
  readonly hint: HintVerdict;
  readonly cacheKey: CacheKeyVerdict;
  readonly chain: ChainVerdict;
  /** Tokens that the backend reports, of all its requests. Undefined until it reports some. */
  readonly tokens: TokenUsage | undefined;
  readonly cache: CacheVerdict;
  /** From the first request to its first delta. Undefined if no time or no delta was seen. */
  readonly firstToken: number | undefined;
  /** From the first request to the end of the last response. */
  readonly duration: number | undefined;
  readonly ending: TurnEnding;
};

export type TurnTransport = 'websocket' | 'http';

export type TokenUsage = { readonly input: number; readonly cached: number; readonly output: number };

/** The tier that a turn asks for. The one that a response names proves nothing (docs/protocol.md, Service tier). */
export type TierVerdict =
  | { readonly type: 'default' }
  | { readonly type: 'priority' }
  | { readonly type: 'other'; readonly tier: string }
  /** A value that the official client never sends: `fast`, `auto`, or the literal `default`. */
  | { readonly type: 'unknown to the backend'; readonly tier: string }
  /** Only some requests of the turn ask for it. */
  | { readonly type: 'varies'; readonly tiers: readonly string[] };

/** The routing hint in the head of the connection, beside the first request that it carries. */
export type HintVerdict =
  /** The client sends none, and the official client would not either. */
  | { readonly type: 'none' }
  | { readonly type: 'agrees' }
  | { readonly type: 'missing' }
  | { readonly type: 'disagrees'; readonly hint: string }
  /** It belongs to an earlier turn on the same connection, which had another tier or model. */
  | { readonly type: 'of an earlier turn' };

export type CacheKeyVerdict =
  | { readonly type: 'session' }
  | { readonly type: 'missing' }
  | { readonly type: 'not the session' }
  /** The client names no session, and the key is that of the turn before. */
  | { readonly type: 'kept' }
  | { readonly type: 'first' }
  | { readonly type: 'changed' };

export type ChainVerdict =
  /** The first request of its thread that was seen, without a prewarm. */
  | { readonly type: 'first' }
  | { readonly type: 'prewarm' }
  | { readonly type: 'chained' }
  /** The request repeats the whole history, and why the official client would do so too, if it would. */
  | { readonly type: 'whole history'; readonly why: WholeHistoryReason | undefined }
  /** It continues a response that is not the last one of its thread. */
  | { readonly type: 'other response' };

export type WholeHistoryReason = 'http' | 'new connection' | 'tier' | 'model' | 'failure' | 'compaction';

export type CacheVerdict =
  /** No usage was reported yet, or the prompt is too short to be cached. */
  | { readonly type: 'unknown' }
  /** There was nothing that could have been cached. */
  | { readonly type: 'first' }
  | { readonly type: 'hit' }
  | { readonly type: 'miss'; readonly why: CacheMissReason };

export type CacheMissReason =
  | {
      readonly type:
        | 'cache key'
        | 'model'
        | 'tools'
        | 'instructions'
        | 'tier'
        | 'session'
        | 'compaction'
        | 'unexplained';
    }
  /** The nth item of the input differs from what the thread had there. */
  | { readonly type: 'history'; readonly item: number }
  /** The time since the last response, in milliseconds. */
  | { readonly type: 'pause'; readonly after: number };

export type TurnEnding =
  | { readonly type: 'running' }
  | { readonly type: 'completed' }
  /** The response asked for tools, and their outputs have not been sent yet. */
  | { readonly type: 'tools' }
  /** The client steered or interrupted the turn. */
  | { readonly type: 'interrupted' }
  | { readonly type: 'incomplete'; readonly reason: string }
  | { readonly type: 'failed'; readonly code: string }
  | { readonly type: 'error'; readonly status: number | undefined; readonly code: string }
  | { readonly type: 'refused'; readonly status: number; readonly code: string }
  /** The connection ended before the response did. */
  | {
      readonly type: 'cut off';
      readonly by: 'client' | 'backend';
      readonly close: number | null | undefined;
    };

/** Something that happened to a session outside its turns. */
export type SessionNote =
  | { readonly type: 'upgrade refused'; readonly status: number }
  | {
      readonly type: 'connection ended';
      readonly by: 'client' | 'backend';
      readonly close: number | null | undefined;
      readonly idle: number | undefined;
    }
  | { readonly type: 'new connection' }
  | { readonly type: 'over HTTP' }
  /** It repeats the history of another session under an id of its own. */
  | { readonly type: 'history of another session'; readonly session: number }
  /**
   * A request that names this session in its headers names another one in its body, or a response was one of another
   * session before. The ordinal of that session is known if it was seen.
   */
  | {
      readonly type: 'mixed';
      readonly by: 'request' | 'response';
      readonly session: number | undefined;
    }
  | { readonly type: 'undecodable'; readonly from: 'client' | 'backend'; readonly reason: string }
  /** The analysis fell behind, and left out what follows on a connection. */
  | { readonly type: 'skipped' };

export type SeenSession = {
  /** Its ordinal, from 1. */
  readonly number: number;
  /** The id that the client gives it; undefined if it gives none. */
  readonly id: string | undefined;
  /** The originator or user agent of the client; undefined if it names neither. */
  readonly client: string | undefined;
  readonly version: string | undefined;
};
