import type { Comparison } from '../diff/comparison.ts';
import type { Finding } from '../diff/finding.ts';
import { severityOf } from '../diff/severity.ts';
import type { Lifetime } from '../golden/golden.ts';
import type { MismatchKind } from '../golden/match/mismatch.ts';

type Explanation = {
  /** Matches the last key of the place, or the header, in lower case. */
  readonly at: RegExp;
  readonly kinds?: readonly MismatchKind[];
  readonly why: string;
};

/**
 * Known consequences of differences at well-known places. The first entry that matches is used; warnings have none, as the
 * backend does not act upon them. To explain another finding, add an entry.
 */
const known: readonly Explanation[] = [
  {
    at: /^service_tier$/,
    kinds: ['added', 'changed'],
    why: 'the official client omits the field for the default tier, and the backend refuses the literal "default"',
  },
  {
    at: /^service_tier$/,
    why: 'without the field the request is served at the standard tier, and the response does not show it',
  },
  { at: /^x-codex-routing-hint$/, why: 'the hint must name the model and tier of the request that it opens' },
  {
    at: /^prompt_cache_key$/,
    why: 'it is the key of the prompt cache: unless it is the session id, every cache hit is lost',
  },
  {
    at: /^session[-_]id$/,
    kinds: ['renamed'],
    why: 'the header is session_id up to 0.130 and session-id from 0.133 on; under another name the session is lost',
  },
  {
    at: /^(?:session[-_]id|thread[-_]id|x-client-request-id|x-codex-window-id)$/,
    why: 'a conversation has one identity, the same in headers, body and turn metadata',
  },
  { at: /^previous_response_id$/, why: 'it chains the turn to what the backend already has' },
  {
    at: /^instructions$/,
    why: 'instructions belong to the client: a proxy must not inject, drop or rewrite them',
  },
  { at: /^(?:root_)?turn_id$/, why: 'each turn has its own id, the same everywhere in the turn' },
  {
    at: /^x-codex-turn-metadata$/,
    why: 'each request has its own turn metadata: a copy from the handshake is stale',
  },
  { at: /^(?:user-agent|originator|version)$/, why: 'it shows the backend which client sends the request' },
];

const byKind: Readonly<Record<MismatchKind, string>> = {
  missing: 'the official client sends it',
  added: 'the official client does not send it',
  renamed: 'the official client sends it under another name',
  recased: "the name has different capitalisation than the official client's",
  moved: 'the official client sends another order',
  changed: 'the official client sends another value',
  retyped: 'the official client sends another type of value',
  respelled: 'the value is the same, but the official client spells it differently',
  reframed: 'the message is the same, but the official client frames it differently',
  disagrees: 'the official client sends one value at all these places',
  repeated: 'the official client never uses this value for two things',
};

const neutrality: Readonly<Record<Exclude<Comparison, 'parity'>, string>> = {
  'request neutrality': 'the content of the request reached the backend changed',
  'response neutrality': 'the response reached the client changed',
};

/** For values with a shorter lifetime than a session: this one is stale. */
const stale: Readonly<Partial<Record<Lifetime, string>>> = {
  item: 'is new for each item, and this is the value of another item',
  request: 'is new for each request, and this is the value of an earlier request',
  turn: 'is new for each turn, and this is the value of an earlier turn',
  connection: 'is new for each connection, and this is the value of an earlier connection',
};

type RefusalMeaning = {
  /** Matches the start of the refusal, `METHOD STATUS TEXT`. */
  readonly at: RegExp;
  readonly why: string;
};

/** What a refusal of the subject means. The first entry that matches is used. */
const refusals: readonly RefusalMeaning[] = [
  {
    at: /\bmodel(?![a-z]).*(?:not[ _](?:be )?(?:found|supported|available|allowed)|unknown|unsupported|does not exist|invalid)|(?:unknown|unsupported|invalid|no such)[ _](?:requested )?model/i,
    why: 'it does not know the model of the request: add the model to those that it serves (models)',
  },
  {
    at: /^\w+ 401\b|unauthori[sz]ed|invalid_api_key|authentication/i,
    why: 'it has no valid sign-in, or it wants a key of its own from its client: give it the sign-in of {auth}, and let clients in without a key',
  },
  {
    at: /^\w+ 403\b/,
    why: 'it forbids the request: allow clients at 127.0.0.1 without a key, whatever their origin and host',
  },
  {
    at: /^\w+ 404\b/,
    why: 'it has no Responses API at this path: correct "path" in the configuration, or the path of --subject-url',
  },
  {
    at: /^GET 4(?:05|26)\b/,
    why: 'it takes no websockets at this path, and the official client opens one: let it accept the upgrade',
  },
  {
    at: /^POST 426\b/,
    why: 'it wants a websocket here, and the official client sends a POST after its upgrade was refused',
  },
  { at: /^POST 405\b/, why: 'it takes no POST at this path: correct "path" in the configuration' },
  {
    at: /^\w+ 4(?:13|15)\b/,
    why: "it does not accept the official client's body, which is compressed with zstd",
  },
  { at: /^\w+ 429\b/, why: 'it limits its clients: raise the limit for the check' },
  {
    at: /^\w+ 4\d\d\b/,
    why: "it rejects the official client's request by itself: its message and its log say why",
  },
];

function refusalMeaning(finding: Finding): string | undefined {
  if (finding.kind !== 'missing' || finding.instead?.type !== 'subject behaviour') return undefined;
  const { refusal } = finding.instead;
  if (refusal === undefined) return undefined;
  const start = `${refusal.method} ${refusal.status ?? ''} ${refusal.text}`;
  return refusals.find(({ at }) => at.test(start))?.why;
}

/** Why a finding matters, in one sentence. */
export function explain(finding: Finding): string {
  const { comparison, cause, kind, places, lifetime } = finding;
  const isMild = severityOf(finding) === 'shape';
  const refused = refusalMeaning(finding);
  if (refused !== undefined) return refused;
  switch (cause?.type) {
    case 'nothing upstream':
      return `no model request reached the simulated backend: the upstream of ${cause.subject} must be ${cause.url}`;
    case 'foreign credentials':
      return 'it does not belong to the sign-in that the subject was given: the backend refuses it, or serves another account';
  }
  if (comparison !== 'parity') return neutrality[comparison];
  const names = places.map(({ path }) => String(path.at(-1) ?? '').toLowerCase());
  const reason = lifetime === undefined ? undefined : stale[lifetime];
  if (reason !== undefined) return `${names[0]} ${reason}`;
  const found = isMild
    ? undefined
    : known.find(
        ({ at, kinds }) =>
          names.some((name) => at.test(name)) && (kinds === undefined || kinds.includes(kind)),
      );
  if (found === undefined && lifetime !== undefined) return `${names[0]} is the same for a whole ${lifetime}`;
  return found?.why ?? byKind[kind];
}
