import { compareVersions, isVersion } from '../wire/codex-version.ts';
import { type JsonNode, member, stringAt } from '../wire/json.ts';
import type {
  CacheKeyVerdict,
  CacheMissReason,
  CacheVerdict,
  ChainVerdict,
  HintVerdict,
  JudgedTurn,
  TierVerdict,
  TokenUsage,
  TurnEnding,
  TurnTransport,
  WholeHistoryReason,
} from './judged-turn.ts';
import type { HeadFacts, RequestFacts } from './request-facts.ts';
import type { Thread } from './thread.ts';

/** Where a turn belongs. */
type TurnPlace = Pick<JudgedTurn, 'id' | 'session' | 'agent' | 'number'>;

/** A request of a turn, with what it is judged by. */
type SentRequest = {
  readonly facts: RequestFacts;
  readonly head: HeadFacts;
  /** The first request on the same connection. */
  readonly first: RequestFacts;
  /** The thread as it was before the request. */
  readonly thread: Thread;
  readonly transport: TurnTransport;
  readonly connection: number;
  readonly at: number | undefined;
};

/** The official client sends the routing hint from this version on (measured: 0.145.0 and 0.149.0, scenario fast). */
const firstWithHint = '0.149.0';

/**
 * Shorter prompts are not cached, and a prefix is kept for five minutes at least
 * (https://platform.openai.com/docs/guides/prompt-caching).
 */
const cached = { fewestTokens: 1024, milliseconds: 5 * 60_000 };

/** Values of `service_tier` that stand for a tier in a configuration, and that the official client never sends. */
const configuredTiers: ReadonlySet<string> = new Set(['fast', 'auto', 'default']);

/** A turn while it goes on. The verdict of a turn with several requests is that of the worst one. */
export class RunningTurn {
  readonly id: number;
  readonly #about: TurnPlace;
  #turnId: string | undefined;
  #lastItem: string | undefined;
  #requests = 0;
  #retries = 0;
  #compacts = false;
  #transport: TurnTransport = 'websocket';
  #model: string | undefined;
  #effort: string | undefined;
  readonly #tiers = new Set<string | undefined>();
  #hint: HintVerdict = { type: 'none' };
  #cacheKey: CacheKeyVerdict = { type: 'first' };
  #chain: ChainVerdict = { type: 'first' };
  #cache: CacheVerdict = { type: 'unknown' };
  #tokens: TokenUsage | undefined;
  /** Why the request that is answered could miss the cache; undefined for the first one of a thread. */
  #missReason: CacheMissReason | undefined;
  #startedAt: number | undefined;
  #firstToken: number | undefined;
  #duration: number | undefined;
  #ending: TurnEnding = { type: 'running' };
  /** Whether the response asks for a tool. */
  #asksForTool = false;

  constructor(about: TurnPlace) {
    this.#about = about;
    this.id = about.id;
  }

  /** Whether a request belongs to this turn: a round of tool outputs, or another attempt. */
  continuesWith({ turn, continuesTools, history }: RequestFacts): boolean {
    if (turn !== undefined && this.#turnId !== undefined) return turn === this.#turnId;
    return continuesTools || (this.#hasFailed() && history.at(-1)?.digest === this.#lastItem);
  }

  request(sent: SentRequest): void {
    const { facts, head, first, thread, transport, at } = sent;
    if (this.#hasFailed()) this.#retries += 1;
    this.#requests += 1;
    this.#turnId = facts.turn;
    this.#lastItem = facts.history.at(-1)?.digest;
    this.#transport = transport;
    this.#compacts = facts.compacts;
    this.#model = facts.model;
    this.#effort = facts.effort;
    this.#tiers.add(facts.tier);
    this.#hint = worse(this.#hint, hintVerdict(facts, head, first), hintRanks);
    this.#cacheKey = worse(this.#cacheKey, cacheKeyVerdict(facts, head, thread), keyRanks);
    const chain = chainVerdict(sent, this.#hasFailed());
    this.#chain = this.#requests === 1 ? chain : worse(this.#chain, chain, chainRanks);
    this.#missReason = missReason(facts, thread, at);
    this.#startedAt ??= at;
    this.#ending = { type: 'running' };
    this.#asksForTool = false;
  }

  /** The first delta of the turn. Returns whether it was. */
  firstDelta(at: number | undefined): boolean {
    if (this.#firstToken !== undefined || at === undefined || this.#startedAt === undefined) return false;
    this.#firstToken = at - this.#startedAt;
    return true;
  }

  /** An item that the model made. */
  output(item: JsonNode | undefined): void {
    // The backend itself runs calls of other types, such as web_search_call.
    if (
      /^(?:custom_tool|function|local_shell|tool_search|apply_patch|shell)_call$/.test(
        stringAt(item, 'type') ?? '',
      )
    )
      this.#asksForTool = true;
  }

  usage(usage: JsonNode | undefined, thread: Thread): void {
    const input = numberOf(member(usage, 'input_tokens'));
    if (input === undefined) return;
    const fromCache = numberOf(member(member(usage, 'input_tokens_details'), 'cached_tokens')) ?? 0;
    const output = numberOf(member(usage, 'output_tokens')) ?? 0;
    const before = this.#tokens ?? { input: 0, cached: 0, output: 0 };
    this.#tokens = {
      input: before.input + input,
      cached: before.cached + fromCache,
      output: before.output + output,
    };
    this.#cache = worse(this.#cache, this.#cacheVerdict(input, fromCache, thread.lastInput), cacheRanks);
    thread.lastInput = input;
  }

  #cacheVerdict(input: number, fromCache: number, before: number | undefined): CacheVerdict {
    if (this.#missReason === undefined) return { type: 'first' };
    // Without an earlier response, as after one that failed, the prompt itself says what could be cached.
    const possible = Math.min(before ?? input, input);
    if (possible < cached.fewestTokens) return { type: 'unknown' };
    return fromCache * 2 >= possible ? { type: 'hit' } : { type: 'miss', why: this.#missReason };
  }

  end(ending: TurnEnding, at: number | undefined): void {
    this.#ending = ending.type === 'completed' && this.#asksForTool ? { type: 'tools' } : ending;
    if (at !== undefined && this.#startedAt !== undefined) this.#duration = at - this.#startedAt;
  }

  judged(): JudgedTurn {
    return {
      ...this.#about,
      ...{ retries: this.#retries, requests: this.#requests, compacts: this.#compacts },
      ...{ transport: this.#transport },
      ...{ model: this.#model, effort: this.#effort, tier: tierVerdict([...this.#tiers]) },
      ...{ hint: this.#hint, cacheKey: this.#cacheKey, chain: this.#chain },
      ...{ tokens: this.#tokens, cache: this.#cache },
      ...{ firstToken: this.#firstToken, duration: this.#duration, ending: this.#ending },
    };
  }

  #hasFailed(): boolean {
    return !['running', 'completed', 'tools', 'interrupted'].includes(this.#ending.type);
  }
}

function tierVerdict(tiers: readonly (string | undefined)[]): TierVerdict {
  const [tier, ...others] = tiers;
  if (others.length > 0) return { type: 'varies', tiers: tiers.map((one) => one ?? 'default') };
  if (tier === undefined) return { type: 'default' };
  if (tier === 'priority') return { type: 'priority' };
  return configuredTiers.has(tier) ? { type: 'unknown to the backend', tier } : { type: 'other', tier };
}

/** The hint names the model and tier of the first request on the connection (docs/protocol.md, Service tier). */
function hintVerdict(facts: RequestFacts, head: HeadFacts, first: RequestFacts): HintVerdict {
  const { hint, version, namesAccount } = head;
  if (hint === undefined) {
    const isOld = version !== undefined && isVersion(version) && compareVersions(version, firstWithHint) < 0;
    return facts.tier === 'priority' && namesAccount && !isOld ? { type: 'missing' } : { type: 'none' };
  }
  const expected = (one: RequestFacts) =>
    [`model=${one.model ?? ''}`, ...(one.tier === undefined ? [] : [`tier=${one.tier}`])].join(';');
  if (hint === expected(facts)) return { type: 'agrees' };
  return hint === expected(first) ? { type: 'of an earlier turn' } : { type: 'disagrees', hint };
}

function cacheKeyVerdict(
  { cacheKey, session }: RequestFacts,
  head: HeadFacts,
  thread: Thread,
): CacheKeyVerdict {
  if (cacheKey === undefined) return { type: 'missing' };
  const own = head.session ?? session;
  if (own !== undefined) return cacheKey === own ? { type: 'session' } : { type: 'not the session' };
  if (thread.last === undefined) return { type: 'first' };
  return cacheKey === thread.last.cacheKey ? { type: 'kept' } : { type: 'changed' };
}

function chainVerdict({ facts, thread, transport, connection }: SentRequest, isRetry: boolean): ChainVerdict {
  const { previousResponse, model, tier } = facts;
  const { last, lastResponse, prewarmed } = thread;
  if (previousResponse !== undefined) {
    if (previousResponse === lastResponse) return { type: 'chained' };
    if (previousResponse === prewarmed) return { type: 'prewarm' };
    return lastResponse === undefined && prewarmed === undefined
      ? { type: 'first' }
      : { type: 'other response' };
  }
  if (last === undefined && !facts.repeatsHistory) return { type: 'first' };
  const why = (): WholeHistoryReason | undefined => {
    if (transport === 'http') return 'http';
    if (isRetry || thread.hasFailed) return 'failure';
    if (thread.connection !== connection) return 'new connection';
    if (facts.isCompacted) return 'compaction';
    if (last !== undefined && last.tier !== tier) return 'tier';
    return last !== undefined && last.model !== model ? 'model' : undefined;
  };
  return { type: 'whole history', why: why() };
}

/** What a request changes that can make it miss the cache. Undefined if nothing can be cached. */
function missReason(
  facts: RequestFacts,
  thread: Thread,
  at: number | undefined,
): CacheMissReason | undefined {
  const { last, lastEnd, isMoved } = thread;
  if (isMoved && thread.last === undefined) return { type: 'session' };
  if (last === undefined) return undefined;
  if (facts.cacheKey !== last.cacheKey || facts.cacheKey === undefined) return { type: 'cache key' };
  if (facts.model !== last.model) return { type: 'model' };
  const changed = thread.changedPart(facts);
  if (changed !== undefined && facts.isCompacted) return { type: 'compaction' };
  if (changed?.kind === 'message') return { type: 'history', item: changed.item };
  if (changed !== undefined) return { type: changed.kind };
  if (facts.tier !== last.tier) return { type: 'tier' };
  if (at !== undefined && lastEnd !== undefined && at - lastEnd >= cached.milliseconds)
    return { type: 'pause', after: at - lastEnd };
  return { type: 'unexplained' };
}

/** From the best to the worst. */
const hintRanks: readonly HintVerdict['type'][] = [
  'none',
  'agrees',
  'of an earlier turn',
  'missing',
  'disagrees',
];
const keyRanks: readonly CacheKeyVerdict['type'][] = [
  ...(['first', 'kept', 'session', 'changed', 'not the session', 'missing'] as const),
];
const chainRanks: readonly ChainVerdict['type'][] = [
  ...(['chained', 'prewarm', 'first', 'whole history', 'other response'] as const),
];
const cacheRanks: readonly CacheVerdict['type'][] = ['unknown', 'first', 'hit', 'miss'];

function worse<V extends { readonly type: string }>(a: V, b: V, ranks: readonly V['type'][]): V {
  return ranks.indexOf(b.type) > ranks.indexOf(a.type) ? b : a;
}

function numberOf(node: JsonNode | undefined): number | undefined {
  return node?.kind === 'number' ? Number(node.text) : undefined;
}
