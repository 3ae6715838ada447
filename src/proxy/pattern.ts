import type { Exchange } from '../golden/dialogue.ts';
import { type Golden, jsonMark } from '../golden/golden.ts';
import type { VariableKind } from '../golden/kinds.ts';
import { variablesOf } from '../golden/origin.ts';
import { parseTemplate, soleVariable } from '../golden/template.ts';
import { type JsonMember, type JsonNode, member, stringAt } from '../wire/json.ts';
import { keyOrder } from './key-order.ts';

/** What requests of one transport take their shape from: a golden, and what others of its version add. */
export type Pattern = {
  readonly golden: Golden;
  /** Headers that each request has. */
  readonly headers: readonly JsonMember[];
  /** Headers that only some requests of the version have, under their names in lower case. */
  readonly optional: ReadonlyMap<string, JsonMember>;
  /** The order of all of them, in lower case. */
  readonly headerOrder: readonly string[];
  /** The requests of the golden, in their order. */
  readonly bodies: readonly JsonNode[];
  /** What turn metadata says of a model besides its name, by model (measured: codex 0.169.0, scenario model-not-lite). */
  readonly ofModels: ReadonlyMap<string, readonly JsonMember[]>;
  /** The order of all keys that a request of this version may have. */
  readonly order: readonly string[];
  /** Variables at the places of session and thread; one and the same in a root thread. */
  readonly identifying: ReadonlySet<string>;
  /** Variables whose value holds for a whole session, such as the installation's id. */
  readonly lasting: ReadonlySet<string>;
  /** Variables whose value holds for a turn, on however many connections it is tried: those of its turn metadata. */
  readonly ofTurn: ReadonlySet<string>;
};

export type Transport = 'websocket' | 'http';

/** The pattern of a transport in a golden; undefined where it has none. `others` are goldens of the same version. */
export function patternOf(
  golden: Golden,
  others: readonly Golden[],
  transport: Transport,
): Pattern | undefined {
  const request = requestsOf([golden], transport)[0]?.request;
  if (request === undefined) return undefined;
  const headers: readonly JsonMember[] = request.headers;
  const seen = requestsOf(others, transport).map((exchange) => exchange.request.headers);
  const own = new Set(headers.map(([name]) => name.toLowerCase()));
  const optional = new Map<string, JsonMember>();
  for (const [name, value] of seen.flat()) {
    const lower = name.toLowerCase();
    if (!own.has(lower) && !optional.has(lower)) optional.set(lower, [name, value]);
  }
  const bodies = bodiesOf([golden], transport);
  const identifying = identifyingVariables(bodies[0]);
  const lasting = new Set([...lastingVariables(golden)].filter((name) => !identifying.has(name)));
  return {
    golden,
    headers,
    optional,
    headerOrder: keyOrder([headers, ...seen].map((list) => list.map(([name]) => name.toLowerCase()))),
    bodies,
    ofModels: flagsOfModels([...bodies, ...bodiesOf(others, transport)]),
    order: keyOrder([...bodies, ...bodiesOf(others, transport)].map(keysOf)),
    identifying,
    lasting,
    ofTurn: new Set(
      bodies
        .flatMap((body) => variablesIn(member(member(body, 'client_metadata'), 'x-codex-turn-metadata')))
        .filter((name) => !identifying.has(name) && !lasting.has(name)),
    ),
  };
}

function requestsOf(goldens: readonly Golden[], transport: Transport): Exchange[] {
  return goldens.flatMap(({ exchanges }) => exchanges.filter((one) => transportOf(one) === transport));
}

function transportOf({ request }: Exchange): Transport | undefined {
  if (request.method === 'GET') return 'websocket';
  const target = request.target.kind === 'string' ? request.target.value : '';
  return /\/responses(?:\?|$)/.test(target) ? 'http' : undefined;
}

function bodiesOf(goldens: readonly Golden[], transport: Transport): JsonNode[] {
  return requestsOf(goldens, transport)
    .flatMap(({ steps }) => steps)
    .flatMap((step) =>
      step.type !== 'response' && step.from === 'client' && step.content.kind === 'json'
        ? [step.content.json]
        : [],
    )
    .filter((body) => member(body, 'model') !== undefined);
}

/** The flags in turn metadata, from the first request for each model. */
function flagsOfModels(bodies: readonly JsonNode[]): Map<string, readonly JsonMember[]> {
  const flags = new Map<string, readonly JsonMember[]>();
  for (const body of bodies) {
    const metadata = member(member(member(body, 'client_metadata'), 'x-codex-turn-metadata'), jsonMark);
    const model = stringAt(body, 'model') ?? '';
    if (metadata?.kind !== 'object' || flags.has(model)) continue;
    flags.set(
      model,
      metadata.members.filter(([, value]) => value.kind === 'literal'),
    );
  }
  return flags;
}

function keysOf(node: JsonNode): string[] {
  return node.kind === 'object' ? node.members.map(([key]) => key) : [];
}

function variablesIn(node: JsonNode | undefined): string[] {
  if (node?.kind === 'array') return node.items.flatMap(variablesIn);
  if (node?.kind === 'object') return node.members.flatMap(([, value]) => variablesIn(value));
  if (node?.kind !== 'string') return [];
  return parseTemplate(node.value).flatMap((part) => ('variable' in part ? [part.variable] : []));
}

function identifyingVariables(body: JsonNode | undefined): Set<string> {
  const places = [
    stringAt(body, 'prompt_cache_key'),
    stringAt(body, 'client_metadata', 'session_id'),
    stringAt(body, 'client_metadata', 'thread_id'),
  ];
  return new Set(places.flatMap((text) => (text === undefined ? [] : (soleVariable(text) ?? []))));
}

/** What the client says in its handshake, or says again in a later message, it says of its session. */
function lastingVariables(golden: Golden): Set<string> {
  const [handshake] = requestsOf([golden], 'websocket');
  const messages = golden.exchanges
    .flatMap(({ steps }) => steps)
    .filter((step) => step.type !== 'response' && step.from === 'client')
    .map((step) => new Set(variablesOf(step)));
  const said = new Set(handshake === undefined ? [] : variablesOf(handshake.request));
  const repeated = [...golden.variables.keys()].filter(
    (name) => messages.filter((names) => names.has(name)).length > 1,
  );
  return new Set([...said, ...repeated].filter((name) => holds.has(golden.variables.get(name)?.kind)));
}

/** Kinds of which a value may hold for long: not clocks, nor what the sign-in or the connection gives. */
const holds: ReadonlySet<VariableKind | undefined> = new Set<VariableKind>([
  'uuid7',
  'uuid4',
  'secret_uuid4',
  'host_text',
]);
