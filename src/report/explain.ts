import { codeOf } from '../diff/cause-code.ts';
import type { Comparison } from '../diff/comparison.ts';
import type { Finding } from '../diff/finding.ts';
import type { Lifetime } from '../golden/golden.ts';
import type { MismatchKind } from '../golden/match/mismatch.ts';
import { causeText } from './cause-texts.ts';

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

const correctPath = 'correct "path" in the configuration, or the path of --subject-url';

/** What a refusal of the subject means. The first entry that matches is used. */
const refusals: readonly RefusalMeaning[] = [
  {
    at: /\bmodel(?![a-z]).*(?:not[ _](?:be )?(?:found|supported|available|allowed)|unknown|unsupported|does not exist|invalid)|(?:unknown|unsupported|invalid|no such)[ _](?:requested )?model/i,
    why: 'it does not know the model of the request: add the model to those that it serves (models)',
  },
  {
    at: /no(?: available| active|_available|_active)?[ _]accounts?\b/i,
    why: 'it has no account that it would use: after an error of an earlier scenario it may have put the account aside; start it for each scenario (start: per-scenario)',
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
    why: `it has no Responses API at this path: ${correctPath}`,
  },
  {
    at: /^GET 4(?:05|26)\b/,
    why: 'it takes no websockets at this path, and the official client opens one: let it accept the upgrade',
  },
  {
    at: /^POST 426\b/,
    why: 'it wants a websocket here, and the official client sends a POST after its upgrade was refused',
  },
  { at: /^POST 405\b/, why: `it takes no POST at this path: ${correctPath}` },
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
  const refused = refusalMeaning(finding);
  if (refused !== undefined) return refused;
  const { cause, comparison, kind, places, lifetime } = finding;
  if (cause?.type === 'nothing upstream')
    return `no model request reached the simulated backend: the upstream of ${cause.subject} must be ${cause.url}`;
  const { why } = causeText(codeOf(finding));
  if (comparison !== 'parity') return why ?? neutrality[comparison];
  if (lifetime === undefined) return why ?? byKind[kind];
  const name = String(places[0]?.path.at(-1) ?? '').toLowerCase();
  const reason = stale[lifetime];
  return reason === undefined ? (why ?? `${name} is the same for a whole ${lifetime}`) : `${name} ${reason}`;
}
