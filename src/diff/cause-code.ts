import { helloPlaces } from '../golden/match/hello-mismatches.ts';
import { http2Places } from '../golden/match/http2-mismatches.ts';
import { comparedNode, type Difference, type PathKey, type Place } from '../golden/match/mismatch.ts';
import { contentKeys } from '../trace/secrets.ts';
import { turnMetadata } from '../wire/turn-metadata.ts';
import { content } from './envelope.ts';
import type { Finding } from './finding.ts';
import { isHead, isRecasedToken } from './recased-token.ts';

/**
 * What a finding can be about. With the way in which it differs, this is the code of its cause:
 * `session/cache-key` and `missing` are `session/cache-key-missing`. The first topic counts where the places of a finding
 * have several.
 */
export const topics = [
  'session/header',
  'session/cache-key',
  'session/id',
  'session/turn-id',
  'session/turn-state',
  'session/chain',
  'tier/hint',
  'tier/field',
  'account/credentials',
  'content/instructions',
  'content/input',
  'content/tools',
  'content/text',
  'client/name',
  'client/feature',
  'client/installation',
  'request/model',
  'request/reasoning',
  'request/member',
  'metadata/turn',
  'metadata/client',
  'transport/exchange',
  'transport/message',
  'transport/header',
  'response/event',
  'response/id',
  'response/member',
  'response/header',
  'response/body',
  'response/ending',
  'response/result',
  'shape/header',
] as const;
export type Topic = (typeof topics)[number];

/** How something differs. */
export const verbs = [
  'missing',
  'added',
  'renamed',
  'changed',
  'moved',
  'stale',
  'inconsistent',
  'repeated',
] as const;
export type Verb = (typeof verbs)[number];

/** The code of a scenario that was not played to its end because the subject died or hung. It has no finding. */
export const failedScenario = 'scenario/failed';

/** The codes of causes that have one form only. */
const singleCodes = [
  failedScenario,
  'setup/nothing-upstream',
  'setup/refused',
  'setup/stopped',
  'tier/literal-default',
  'account/foreign',
  'client/other-version',
  'transport/http',
  'transport/method',
  'transport/target',
  'transport/http-version',
  'transport/alpn',
  'transport/opcode',
  'transport/connection-kept',
  'transport/body-cut-off',
  'response/rebuilt',
  'response/cut-off',
  'response/status',
  'response/event-unfinished',
  'shape/header-order',
  'shape/header-case',
  'shape/key-order',
  'shape/json-spelling',
  'shape/json-spacing',
  'shape/event-form',
  'shape/compression',
  'shape/fragments',
  'wire/tls-versions',
  'wire/tls-ciphers',
  'wire/tls-groups',
  'wire/tls-key-shares',
  'wire/tls-signatures',
  'wire/tls-extensions',
  'wire/http2-settings',
  'wire/http2-window',
  'wire/http2-pseudo-headers',
  'wire/http2-priority',
  'wire/http2-frames',
  'wire/http2-trailers',
] as const;
export type SingleCode = (typeof singleCodes)[number];

/** The code of a cause. Codes are stable: a baseline names them. */
export type CauseCode = `${Topic}-${Verb}` | SingleCode;

export const causeCodes: readonly CauseCode[] = [
  ...singleCodes,
  ...topics.flatMap((topic) => verbs.map((verb): CauseCode => `${topic}-${verb}`)),
];

const parts: ReadonlyMap<CauseCode, { readonly topic: Topic; readonly verb: Verb }> = new Map(
  topics.flatMap((topic) =>
    verbs.map((verb): [CauseCode, { topic: Topic; verb: Verb }] => [`${topic}-${verb}`, { topic, verb }]),
  ),
);

/** Topic and verb of a code; undefined for a code of one form. */
export function partsOf(code: CauseCode): { readonly topic: Topic; readonly verb: Verb } | undefined {
  return parts.get(code);
}

export function isSingleCode(code: CauseCode): code is SingleCode {
  return !parts.has(code);
}

const codes = new WeakMap<Finding, CauseCode>();

/** The code of a finding. Every finding has exactly one. Each report asks for it several times. */
export function codeOf(finding: Finding): CauseCode {
  const code =
    codes.get(finding) ??
    originCode(finding) ??
    singleCode(finding) ??
    (`${topicOf(finding)}-${verbOf(finding)}` as const);
  codes.set(finding, code);
  return code;
}

/** The code where the origin of a finding is known. */
function originCode(finding: Finding): SingleCode | undefined {
  switch (finding.cause?.type) {
    case undefined:
      return undefined;
    case 'nothing upstream':
      // A subject that refuses its client has no reason to reach its upstream.
      return isRefusal(finding) ? 'setup/refused' : 'setup/nothing-upstream';
    case 'foreign credentials':
      return 'account/foreign';
    case 'http':
      return 'transport/http';
    case 'rebuilt response':
      return 'response/rebuilt';
    case 'other version':
      return 'client/other-version';
  }
}

function isRefusal(finding: Finding): boolean {
  const instead = finding.kind === 'missing' ? finding.instead : undefined;
  return instead?.type === 'subject behaviour' && instead.refusal !== undefined;
}

/** The code of a difference that has one form only. */
function singleCode(finding: Finding): SingleCode | undefined {
  const { kind, places } = finding;
  const [place] = places;
  if (place === undefined) return undefined;
  const isOfHead = places.every(isHead);
  switch (kind) {
    case 'moved':
      if ('item' in finding) return undefined;
      return isOfHead ? 'shape/header-order' : 'shape/key-order';
    case 'recased':
      return isOfHead ? 'shape/header-case' : undefined;
    case 'respelled':
      return finding.spelling === 'white space'
        ? 'shape/json-spacing'
        : finding.spelling === 'event stream'
          ? 'shape/event-form'
          : 'shape/json-spelling';
    case 'reframed':
      return framingCode(finding.aspect, place);
    case 'missing':
      if (finding.instead?.type === 'incomplete response') return 'response/cut-off';
      if (finding.instead?.type === 'subject behaviour')
        return isRefusal(finding) ? 'setup/refused' : 'setup/stopped';
      if (place.part === 'connection') return 'transport/connection-kept';
      break;
    case 'changed':
      if (places.every((at) => isRecasedToken(finding, at))) return 'shape/header-case';
      break;
  }
  if (isAt(finding, 'service_tier') && textOf(finding, 'actual') === 'default') return 'tier/literal-default';
  if (isAt(finding, 'sec-websocket-extensions')) return 'shape/compression';
  if (place.part === 'response' && place.path[0] === 'status') return 'response/status';
  if (place.part !== 'handshake') return undefined;
  return kind === 'changed' || place.path.length > 1 ? requestLine.get(place.path[0]) : undefined;
}

function framingCode(
  aspect: Extract<Difference, { kind: 'reframed' }>['aspect'],
  { side }: Place,
): SingleCode {
  switch (aspect) {
    case 'opcode':
      return 'transport/opcode';
    case 'compressed':
      return 'shape/compression';
    case 'fragments':
      return 'shape/fragments';
    case 'largestFrame':
    case 'endsEmpty':
      return 'wire/http2-frames';
    case 'trailers':
      return 'wire/http2-trailers';
    case 'complete':
      return side === 'client' ? 'transport/body-cut-off' : 'response/cut-off';
    case 'finished':
      return 'response/event-unfinished';
  }
}

/** The parts of a request line, which share the paths of headers, and the connection under it. */
const requestLine: ReadonlyMap<PathKey | undefined, SingleCode> = new Map([
  ['method', 'transport/method'],
  ['target', 'transport/target'],
  ['HTTP version', 'transport/http-version'],
  ['ALPN offered', 'transport/alpn'],
  [helloPlaces.versions, 'wire/tls-versions'],
  [helloPlaces.ciphers, 'wire/tls-ciphers'],
  [helloPlaces.groups, 'wire/tls-groups'],
  [helloPlaces.keyShares, 'wire/tls-key-shares'],
  [helloPlaces.signatures, 'wire/tls-signatures'],
  [helloPlaces.extensions, 'wire/tls-extensions'],
  [http2Places.settings, 'wire/http2-settings'],
  [http2Places.window, 'wire/http2-window'],
  [http2Places.pseudo, 'wire/http2-pseudo-headers'],
  [http2Places.priority, 'wire/http2-priority'],
]);

function topicOf({ places }: Finding): Topic {
  const own = new Set(places.map(topicAt));
  return topics.find((topic) => own.has(topic)) ?? 'shape/header';
}

function topicAt(place: Place): Topic {
  const { part, side, path } = place;
  const isWhole = path.length === 0;
  switch (part) {
    case 'exchange':
    case 'connection':
      return 'transport/exchange';
    case 'response':
      return 'response/header';
    case 'ending':
      return 'response/ending';
    case 'result':
      return 'response/result';
    case 'handshake':
      return path.length > 1 ? memberTopic(path, 'metadata/turn') : headerTopic(nameAt(path));
    case 'message':
    case 'body':
      if (side === 'client') return isWhole ? 'transport/message' : memberTopic(path, 'request/member');
      if (isWhole) return part === 'body' ? 'response/body' : 'response/event';
      return /^(?:.*_)?id$/.test(nameAt(path)) ? 'response/id' : 'response/member';
  }
}

function headerTopic(name: string): Topic {
  return (
    headers.get(name) ?? everywhere.get(name) ?? (identity.has(name) ? 'session/header' : 'shape/header')
  );
}

function memberTopic(path: readonly PathKey[], other: Topic): Topic {
  const [first] = path;
  if (isContentKey(first)) return `content/${first}`;
  const name = nameAt(path);
  const own = everywhere.get(name) ?? (identity.has(name) ? 'session/id' : undefined);
  if (own !== undefined) return own;
  if (path.includes(turnMetadata)) return 'metadata/turn';
  if (first === 'client_metadata') return 'metadata/client';
  if (first === 'reasoning') return 'request/reasoning';
  return path.length === 1 && first === 'model' ? 'request/model' : other;
}

type ContentKey = 'instructions' | 'input' | 'tools' | 'text';

function isContentKey(key: PathKey | undefined): key is ContentKey {
  return typeof key === 'string' && content.has(key);
}

/** Names of a session, a thread or a window. A header with one of them is what the backend finds the session by. */
const identity: ReadonlySet<string> = new Set([
  ...['session-id', 'session_id', 'thread-id', 'thread_id', 'conversation-id', 'conversation_id'],
  ...['x-client-request-id', 'x-codex-window-id', 'window_id'],
  ...['x-codex-parent-thread-id', 'parent_thread_id'],
]);

/** Names that mean the same wherever they are. */
const everywhere: ReadonlyMap<string, Topic> = new Map([
  ['prompt_cache_key', 'session/cache-key'],
  ['turn_id', 'session/turn-id'],
  ['root_turn_id', 'session/turn-id'],
  ['parent_turn_id', 'session/turn-id'],
  ['first_turn_id', 'session/turn-id'],
  ['x-codex-turn-state', 'session/turn-state'],
  ['previous_response_id', 'session/chain'],
  ['response_id', 'session/chain'],
  ['x-codex-routing-hint', 'tier/hint'],
  ['service_tier', 'tier/field'],
  ['x-codex-installation-id', 'client/installation'],
  ['installation_id', 'client/installation'],
  ['ws_request_header_x_openai_internal_codex_responses_lite', 'client/feature'],
  ['x-openai-subagent', 'client/feature'],
  [turnMetadata, 'metadata/turn'],
]);

const headers: ReadonlyMap<string, Topic> = new Map([
  ['authorization', 'account/credentials'],
  ['chatgpt-account-id', 'account/credentials'],
  ['x-openai-fedramp', 'account/credentials'],
  ['user-agent', 'client/name'],
  ['originator', 'client/name'],
  ['version', 'client/name'],
  ['openai-beta', 'client/feature'],
  ['x-openai-account-routing-override', 'client/feature'],
  ['x-codex-beta-features', 'client/feature'],
  ['x-openai-internal-codex-responses-lite', 'client/feature'],
  ['host', 'transport/header'],
  [':authority', 'transport/header'],
  ['upgrade', 'transport/header'],
  ['sec-websocket-key', 'transport/header'],
  ['sec-websocket-version', 'transport/header'],
  ['content-type', 'transport/header'],
]);

function verbOf(finding: Finding): Verb {
  switch (finding.kind) {
    case 'missing':
    case 'added':
    case 'renamed':
    case 'moved':
      return finding.kind;
    case 'recased':
      return 'renamed';
    case 'changed':
      return isAddition(finding) ? 'added' : 'changed';
    case 'retyped':
    case 'respelled':
    case 'reframed':
      return 'changed';
    case 'disagrees':
      return isStale(finding) ? 'stale' : 'inconsistent';
    case 'repeated':
      return isStale(finding) ? 'stale' : 'repeated';
  }
}

/** Whether a text of the client's content only got longer. */
function isAddition(finding: Finding): boolean {
  const [expected, actual] = [textOf(finding, 'expected'), textOf(finding, 'actual')];
  if (expected === undefined || actual === undefined || !actual.includes(expected)) return false;
  return finding.places.every(
    ({ side, path }) => side === 'client' && isContentKey(path[0]) && contentKeys.has(nameAt(path)),
  );
}

function isStale({ lifetime }: Finding): boolean {
  return lifetime !== undefined && lifetime !== 'session' && lifetime !== 'installation';
}

function isAt({ places }: Finding, name: string): boolean {
  return places.every(({ path }) => nameAt(path) === name);
}

function textOf(finding: Finding, side: 'expected' | 'actual'): string | undefined {
  const node = comparedNode(finding, side);
  return node?.kind === 'string' ? node.value : undefined;
}

/** The name of the header or key at a path, or of the list that an item belongs to, in lower case. */
function nameAt(path: readonly PathKey[]): string {
  return String(path.findLast((key) => typeof key === 'string') ?? '').toLowerCase();
}
