import type { Lifetime } from '../golden/golden.ts';
import type { Mismatch, MismatchKind } from '../golden/match/mismatch.ts';
import type { Comparison } from './comparison.ts';

type Explanation = {
  /** The last key of the place, or the header, in lower case. */
  readonly at: RegExp;
  readonly kinds?: readonly MismatchKind[];
  readonly why: string;
};

/** What is known to follow from differences at well-known places that are not cosmetic; the first that fits is told. */
const known: readonly Explanation[] = [
  {
    at: /^service_tier$/,
    kinds: ['added', 'changed'],
    why: 'the official client omits the field for the default tier; the backend refuses the literal "default"',
  },
  {
    at: /^service_tier$/,
    why: 'without the field the request is served at the standard tier, and nothing in the response tells',
  },
  { at: /^x-codex-routing-hint$/, why: 'the hint must name the model and tier of the request it opens' },
  {
    at: /^prompt_cache_key$/,
    why: 'prompt caches are keyed by it: when it is not the session id, every hit is lost',
  },
  {
    at: /^session[-_]id$/,
    kinds: ['renamed'],
    why: 'the header is session_id up to 0.130 and session-id from 0.133 on; under another name the session is lost',
  },
  {
    at: /^(?:session[-_]id|thread[-_]id|x-client-request-id|x-codex-window-id)$/,
    why: 'one conversation has one identity, the same in headers, body and turn metadata',
  },
  { at: /^conversation_id$/, kinds: ['added'], why: 'the official client does not send this header' },
  { at: /^previous_response_id$/, why: 'the turn is chained by it to what the backend already has' },
  {
    at: /^instructions$/,
    why: 'instructions belong to the client: nothing is injected, dropped or rewritten',
  },
  { at: /^(?:root_)?turn_id$/, why: 'each turn has an id of its own, the same wherever the turn is named' },
  {
    at: /^x-codex-turn-metadata$/,
    why: 'turn metadata is made anew for each request; a copy from the handshake is stale',
  },
  { at: /^(?:user-agent|originator|version)$/, why: 'it tells the backend which client speaks' },
];

/** What shows that it is not the official client, and is not treated differently. */
export const cosmetic: ReadonlySet<MismatchKind> = new Set(['moved', 'recased', 'respelled', 'reframed']);

const general: Readonly<Record<MismatchKind, string>> = {
  missing: 'the official client sends it',
  added: 'the official client does not send it',
  renamed: 'the official client sends it under another name',
  recased: 'the official client spells the name with other letters',
  moved: 'the official client keeps another order',
  changed: 'the official client sends another value',
  retyped: 'the official client sends another kind of value',
  respelled: 'the same value, but not as the official client writes it',
  reframed: 'the same message, but not framed as the official client frames it',
  disagrees: 'the official client sends one value at all these places',
  repeated: 'the official client uses a value only once for what it identifies',
};

const neutral: Readonly<Record<Exclude<Comparison, 'parity'>, string>> = {
  'request neutrality': 'what the client said did not reach the backend as it was said',
  'response neutrality': 'what the backend said did not reach the client as it was said',
};

/** What lives shorter than a session, where it is a value of before. */
const outlived: Readonly<Partial<Record<Lifetime, string>>> = {
  item: 'is new for each item: this is the one of another item',
  request: 'is new in each request: this is the one of a request before',
  turn: 'is new at each turn: this is the one of a turn before',
  connection: 'is new on each connection: this is the one of a connection before',
};

/** Why a mismatch matters, in one sentence. */
export function explain(comparison: Comparison, { kind, places, lifetime }: Mismatch): string {
  if (comparison !== 'parity') return neutral[comparison];
  const names = places.map(({ path }) => (path.at(-1) ?? '').toLowerCase());
  const stale = lifetime === undefined ? undefined : outlived[lifetime];
  if (stale !== undefined) return `${names[0]} ${stale}`;
  const found = cosmetic.has(kind)
    ? undefined
    : known.find(
        ({ at, kinds }) =>
          names.some((name) => at.test(name)) && (kinds === undefined || kinds.includes(kind)),
      );
  if (found === undefined && lifetime !== undefined) return `${names[0]} is the same for a whole ${lifetime}`;
  return found?.why ?? general[kind];
}
