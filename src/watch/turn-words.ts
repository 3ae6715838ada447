import { count } from '../report/count.ts';
import type { TurnPart } from '../ui/watch-model.ts';
import type {
  CacheKeyVerdict,
  CacheMissReason,
  CacheVerdict,
  ChainVerdict,
  HintVerdict,
  JudgedTurn,
  SessionNote,
  TierVerdict,
  TokenUsage,
  TurnEnding,
} from './judged-turn.ts';

/** The verdicts of a turn in words: the parts of its line, each with its mark, and what stands behind it. */
export function turnParts(turn: JudgedTurn): TurnPart[] {
  return [
    tierPart(turn),
    ...hintPart(turn.hint),
    ...(turn.transport === 'http' ? [httpPart(turn.tier)] : []),
    cacheKeyPart(turn.cacheKey),
    ...chainPart(turn.chain),
    ...cachePart(turn.cache, turn.tokens),
    ...timeParts(turn),
    ...endingPart(turn.ending),
  ];
}

/** What a turn is called within its session: `turn 2`, `turn 1 of review`. */
export function turnTitle({ number, agent, retries, requests, compacts }: JudgedTurn): string {
  const sent = requests - retries;
  const extra = [
    ...(compacts ? ['compaction'] : []),
    ...(sent > 1 ? [count(sent, 'request')] : []),
    ...(retries > 0 ? [retries === 1 ? '1 retry' : `${retries} retries`] : []),
  ];
  const name = `turn ${number}${agent === '' ? '' : ` of ${agent}`}`;
  return extra.length === 0 ? name : `${name} (${extra.join(', ')})`;
}

function part(
  topic: TurnPart['topic'],
  text: string,
  mark: TurnPart['mark'],
  why: string,
  fix?: string,
): TurnPart {
  return { topic, text, mark, why, ...(fix === undefined ? {} : { fix }) };
}

function tierPart({ tier }: JudgedTurn): TurnPart {
  switch (tier.type) {
    case 'default':
      return part('tier', 'default tier', 'none', 'The request has no service_tier: fast mode is off.');
    case 'priority':
      return part('tier', 'priority', 'ok', 'The request has "service_tier":"priority": fast mode is on.');
    case 'other':
      return part('tier', `tier ${tier.tier}`, 'none', `The request asks for the tier "${tier.tier}".`);
    case 'unknown to the backend':
      return part(
        'tier',
        `tier ${tier.tier}`,
        'wrong',
        `The request has "service_tier":"${tier.tier}", which the official client never sends: fast mode is "priority", the default tier has no service_tier.`,
        tier.tier === 'fast' ? 'Send "priority" in place of "fast".' : 'Leave service_tier out.',
      );
    case 'varies':
      return part(
        'tier',
        `tiers ${tier.tiers.join(', ')}`,
        'wrong',
        'The requests of this turn ask for different tiers.',
        'Send the same service_tier with every request of a turn.',
      );
  }
}

function hintPart(hint: HintVerdict): TurnPart[] {
  switch (hint.type) {
    case 'none':
      return [];
    case 'agrees':
      return [part('hint', 'hint', 'ok', 'x-codex-routing-hint names the model and tier of the request.')];
    case 'missing':
      return [
        part(
          'hint',
          'no hint',
          'wrong',
          'The request asks for priority, but the head of its connection has no x-codex-routing-hint: priority may be ignored.',
          'Send x-codex-routing-hint: model=MODEL;tier=priority.',
        ),
      ];
    case 'disagrees':
      return [
        part(
          'hint',
          'hint',
          'wrong',
          `x-codex-routing-hint is "${hint.hint}", which is not the model and tier of the request.`,
          'Name the model and tier of the first request on the connection.',
        ),
      ];
    case 'of an earlier turn':
      return [
        part(
          'hint',
          'hint of an earlier turn',
          'none',
          'The connection was opened for a turn with another model or tier. The official client keeps it too.',
        ),
      ];
  }
}

function httpPart({ type }: TierVerdict): TurnPart {
  return type === 'priority'
    ? part(
        'transport',
        'over HTTP',
        'wrong',
        'The backend is reported to honour priority over the websocket only.',
        'Find out why the websocket was refused: see the notes of the session.',
      )
    : part(
        'transport',
        'over HTTP',
        'note',
        'The official client uses the websocket unless the backend refuses it. Over HTTP, every request repeats the whole history.',
      );
}

function cacheKeyPart(key: CacheKeyVerdict): TurnPart {
  const because = 'The prompt cache is looked up by prompt_cache_key';
  switch (key.type) {
    case 'session':
      return part('cache key', 'cache key = session', 'ok', `${because}: it is the id of the session.`);
    case 'kept':
      return part('cache key', 'cache key kept', 'ok', `${because}: it is that of the turn before.`);
    case 'first':
      return part('cache key', 'a cache key', 'none', `${because}. The client names no session.`);
    case 'missing':
      return part(
        'cache key',
        'no cache key',
        'wrong',
        `${because}, and the request has none: a hit is chance.`,
        'Send the id of the session as prompt_cache_key with every request.',
      );
    case 'not the session':
      return part(
        'cache key',
        'cache key ≠ session',
        'wrong',
        `${because}, and it is not the id of the session that the headers name.`,
        'Send one id as session-id and as prompt_cache_key.',
      );
    case 'changed':
      return part(
        'cache key',
        'cache key changed',
        'wrong',
        `${because}, and it is not that of the turn before: what was cached is not found.`,
        'Send one key for all turns of a session.',
      );
  }
}

const wholeHistoryReasons = {
  http: 'over HTTP every request does',
  'new connection': 'a new connection does not know the responses of the last one',
  tier: 'the official client does so when the tier changes',
  model: 'the official client does so when the model changes',
  failure: 'the last response failed',
  compaction: 'a summary took the place of the history',
} as const;

function chainPart(chain: ChainVerdict): TurnPart[] {
  switch (chain.type) {
    case 'first':
      return [];
    case 'prewarm':
      return [part('chain', 'prewarmed', 'ok', 'It continues the response to the prewarm.')];
    case 'chained':
      return [
        part(
          'chain',
          'chained',
          'ok',
          'It continues the last response of the thread, and sends new input only.',
        ),
      ];
    case 'whole history':
      return chain.why === undefined
        ? [
            part(
              'chain',
              'not chained',
              'wrong',
              'It repeats the whole history on the connection of the last response, where the official client sends previous_response_id and new input only.',
              'Send the id of the last response as previous_response_id.',
            ),
          ]
        : [
            part(
              'chain',
              'whole history',
              'note',
              `It repeats the whole history: ${wholeHistoryReasons[chain.why]}.`,
            ),
          ];
    case 'other response':
      return [
        part(
          'chain',
          'chained to another response',
          'wrong',
          'previous_response_id is not the id of the last response of this thread: the backend lacks part of the history, or refuses the request.',
          'Continue the last response of the same thread.',
        ),
      ];
  }
}

function cachePart(cache: CacheVerdict, tokens: TokenUsage | undefined): TurnPart[] {
  if (tokens === undefined) return [];
  const text = `cached ${tokensText(tokens.cached)} of ${tokensText(tokens.input)}`;
  switch (cache.type) {
    case 'unknown':
      return [part('cache', text, 'none', 'Prompts of fewer than 1,024 tokens are not cached.')];
    case 'first':
      return [
        part(
          'cache',
          text,
          'none',
          'It is the first turn of its thread: there was nothing to find in the cache.',
        ),
      ];
    case 'hit':
      return [part('cache', text, 'ok', 'The backend found what the last turn left in the prompt cache.')];
    case 'miss':
      return [part('cache', `${text}: ${missWords(cache.why)}`, 'wrong', missReason(cache.why))];
  }
}

/** Why the cache was missed, in a few words. */
function missWords(why: CacheMissReason): string {
  switch (why.type) {
    case 'history':
      return `item ${why.item} of the history changed`;
    case 'pause':
      return `${timeText(why.after)} pause`;
    case 'cache key':
      return 'other cache key';
    case 'session':
      return 'other session';
    case 'compaction':
      return 'compacted';
    case 'unexplained':
      return 'unexplained';
    default:
      return `${why.type} changed`;
  }
}

function missReason(why: CacheMissReason): string {
  const prefix = 'A prompt is cached up to the first difference';
  switch (why.type) {
    case 'cache key':
      return 'The request has another prompt_cache_key than the last turn, or none.';
    case 'session':
      return 'The history is that of another session, whose cache key it does not have.';
    case 'model':
      return 'Each model has a cache of its own, and the last turn used another one.';
    case 'tools':
      return `${prefix}, and the tools come first: they differ from those of the last turn.`;
    case 'instructions':
      return `${prefix}: the instructions differ from those of the last turn.`;
    case 'history':
      return `${prefix}: item ${why.item} of the input differs from what the thread had there.`;
    case 'compaction':
      return 'A summary took the place of the history: the new prompt is cached from now on.';
    case 'tier':
      return 'The tier changed, and nothing else in the request explains it.';
    case 'pause':
      return `A prompt is kept for some minutes, and the last response ended ${timeText(why.after)} before.`;
    case 'unexplained':
      return 'Nothing in the request explains it: the backend dropped the prompt, or served the request elsewhere.';
  }
}

function timeParts({ firstToken, duration, ending }: JudgedTurn): TurnPart[] {
  if (firstToken !== undefined)
    return [
      part('time', `first token ${timeText(firstToken)}`, 'none', 'From the request to the first delta.'),
    ];
  if (duration === undefined || (ending.type !== 'completed' && ending.type !== 'tools')) return [];
  return [part('time', `took ${timeText(duration)}`, 'none', 'From the request to the end of the response.')];
}

function endingPart(ending: TurnEnding): TurnPart[] {
  const wrong = (text: string, why: string) => [part('ending', text, 'wrong', why)];
  switch (ending.type) {
    case 'completed':
      return [];
    case 'running':
      return [part('ending', 'running', 'note', 'The response has not ended.')];
    case 'tools':
      return [
        part(
          'ending',
          'waits for tools',
          'note',
          'The model called tools, whose outputs have not been sent.',
        ),
      ];
    case 'interrupted':
      return [part('ending', 'interrupted', 'note', 'The client steered or interrupted the turn.')];
    case 'incomplete':
      return wrong(`incomplete: ${ending.reason}`, 'The backend ended the response before it was complete.');
    case 'failed':
      return wrong(`failed: ${ending.code}`, 'The backend sent response.failed.');
    case 'error': {
      const status = ending.status === undefined ? '' : `${ending.status} `;
      return wrong(`error ${status}${ending.code}`, 'The backend refused the request with an error message.');
    }
    case 'refused':
      return wrong(`refused: ${ending.status} ${ending.code}`.trimEnd(), 'The backend refused the request.');
    case 'cut off':
      if (ending.by === 'client')
        return [
          part(
            'ending',
            'the client ended the connection',
            'note',
            'It did not wait for the end of the response, as after an interruption.',
          ),
        ];
      return wrong(
        `the ${ending.by} ended the connection${closeText(ending.close)}`,
        'The connection ended before the response did: the turn is lost unless the client tries again.',
      );
  }
}

/** What happened to a session, in one sentence, and whether it harms. */
export function noteWords(note: SessionNote): Pick<TurnPart, 'text' | 'mark'> {
  switch (note.type) {
    case 'upgrade refused':
      return { text: `the backend refused the websocket with ${note.status}`, mark: 'wrong' };
    case 'connection ended': {
      const idle = note.idle === undefined ? '' : ` after ${timeText(note.idle)} without a request`;
      return { text: `the ${note.by} ended the connection${closeText(note.close)}${idle}`, mark: 'note' };
    }
    case 'new connection':
      return { text: 'the session continues on a new connection', mark: 'note' };
    case 'over HTTP':
      return { text: 'the session continues over HTTP', mark: 'wrong' };
    case 'history of another session':
      return {
        text: `it repeats the history of session ${note.session} under another id: the cache and the route of that session are lost`,
        mark: 'wrong',
      };
    case 'mixed': {
      const other = note.session === undefined ? 'another session' : `session ${note.session}`;
      const text =
        note.by === 'request'
          ? `a request of it has the id of ${other} in its body`
          : `it got a response that ${other} got before`;
      return { text: `${text}: two sessions are mixed up`, mark: 'wrong' };
    }
    case 'undecodable':
      return { text: `bytes of the ${note.from} could not be decoded: ${note.reason}`, mark: 'wrong' };
    case 'skipped':
      return { text: 'the analysis fell behind: the rest of this connection is not shown', mark: 'wrong' };
  }
}

function closeText(close: number | null | undefined): string {
  if (close === undefined) return '';
  return close === null ? ' with a close message' : ` with close ${close}`;
}

/** A number of tokens: `950`, `17.2k`. */
function tokensText(tokens: number): string {
  return tokens < 1000 ? String(tokens) : `${(tokens / 1000).toFixed(1)}k`;
}

/** A time: `410 ms`, `2.3 s`, `4 min`. */
function timeText(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 120_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.round(milliseconds / 60_000)} min`;
}
