import { type Golden, jsonMark } from '../../golden/golden.ts';
import type { VariableKind } from '../../golden/pattern/kinds.ts';
import { soleVariable } from '../../golden/pattern/template.ts';
import type { Exchange, Step } from '../../golden/trace/exchanges.ts';
import { variablesOf } from '../../golden/trace/variable-uses.ts';
import { type JsonMember, type JsonNode, member, printJson, stringAt } from '../../wire/json.ts';
import {
  type ObjectPlace,
  objectPlace,
  type Place,
  placeOf,
  type Variables,
  variablesAt,
  withoutMember,
} from './compiled-pattern.ts';
import { keyOrder } from './key-order.ts';
import type { RawMember } from './raw-json.ts';

/** What requests of one transport take their shape from: a golden, and what others of its version add. */
export type Pattern = {
  /** The version of the official client that it is of. */
  readonly codex: string;
  readonly variables: Variables;
  /** All headers that requests of the version have, in their order, under their names in lower case. */
  readonly headers: ReadonlyMap<string, PatternHeader>;
  /** The requests of the golden, in their order. */
  readonly bodies: readonly PatternBody[];
  /**
   * What turn metadata says of a model besides its name, by model (measured: codex 0.169.0, scenario model-not-lite).
   */
  readonly ofModels: ReadonlyMap<string, readonly RawMember[]>;
  /** The order of all keys that a request of this version may have. */
  readonly order: readonly string[];
  /** Variables at the places of session and thread; one and the same in a root thread. */
  readonly identifying: ReadonlySet<string>;
  /** Variables whose value holds for a whole session, such as the installation's id. */
  readonly lasting: ReadonlySet<string>;
  /** Variables whose value holds for a turn, on however many connections it is tried: those of its turn metadata. */
  readonly ofTurn: ReadonlySet<string>;
};

export type PatternHeader = {
  /** In the golden's case. */
  readonly name: string;
  /** Whether each request has it. */
  readonly required: boolean;
  readonly place: Place;
};

export type PatternBody = {
  /** Whether it prepares the model (`generate: false`), and is no turn. */
  readonly prewarms: boolean;
  /** Members that are the same in each request: `type` and `stream`, as JSON texts. */
  readonly constant: readonly RawMember[];
  readonly metadata: ObjectPlace | undefined;
  /** Without what tells of a model that takes instructions and tools as input items. */
  readonly metadataOfOthers: ObjectPlace | undefined;
};

/**
 * Say that the model takes instructions and tools as input items. A request that has them at top level is of another
 * model, and does not say it (measured: codex 0.169.0 with gpt-5.4).
 */
const liteFlag = 'ws_request_header_x_openai_internal_codex_responses_lite';

export type Transport = 'websocket' | 'http';

/** Members of a request of which others of the version are asked for more than the name. */
const outlined: ReadonlySet<string> = new Set(['model', 'client_metadata']);

/** A golden without what nobody takes from others of its version: answers, and the content of requests. */
export function outlineOf(golden: Golden): Golden {
  const exchanges = golden.exchanges.map((exchange) => ({
    ...exchange,
    steps: exchange.steps.flatMap((step): Step[] => {
      if (step.type === 'response' || step.from !== 'client' || step.content.kind !== 'json') return [];
      const json = withoutValues(step.content.json);
      return [{ ...step, content: { ...step.content, json } }];
    }),
  }));
  return { ...golden, exchanges };
}

function withoutValues(body: JsonNode): JsonNode {
  if (body.kind !== 'object') return body;
  const members = body.members.map(
    ([key, value]): JsonMember => [key, outlined.has(key) ? value : { kind: 'literal', value: null }],
  );
  return { kind: 'object', members };
}

/** The pattern of a transport in a golden; undefined where it has none. `others` are outlines of the same version. */
export function patternOf(
  golden: Golden,
  others: readonly Golden[],
  transport: Transport,
): Pattern | undefined {
  const request = requestsOf([golden], transport)[0]?.request;
  if (request === undefined) return undefined;
  const { variables } = golden;
  const headers: readonly JsonMember[] = request.headers;
  const seen = requestsOf(others, transport).map((exchange) => exchange.request.headers);
  const bodies = bodiesOf([golden], transport);
  const shapes = bodies.map((body) => bodyPattern(body, variables));
  const identifying = identifyingVariables(bodies[0]);
  const lasting = new Set([...lastingVariables(golden)].filter((name) => !identifying.has(name)));
  return {
    codex: golden.codex,
    variables,
    headers: headerPatterns([headers, ...seen], variables),
    bodies: shapes,
    ofModels: flagsOfModels([...bodies, ...bodiesOf(others, transport)]),
    order: keyOrder([...bodies, ...bodiesOf(others, transport)].map(keysOf)),
    identifying,
    lasting,
    ofTurn: new Set(
      shapes
        .flatMap(({ metadata }) => variablesAt(metadata?.members.get('x-codex-turn-metadata')))
        .filter((name) => !identifying.has(name) && !lasting.has(name)),
    ),
  };
}

/** The first list's headers are required; the others tell of further ones. */
function headerPatterns(
  [own = [], ...others]: readonly (readonly JsonMember[])[],
  variables: Variables,
): Map<string, PatternHeader> {
  const known = new Map<string, PatternHeader>();
  for (const [required, list] of [[true, own], ...others.map((list) => [false, list] as const)] as const) {
    for (const [name, value] of list) {
      const lower = name.toLowerCase();
      if (!known.has(lower)) known.set(lower, { name, required, place: placeOf(value, variables) });
    }
  }
  const order = keyOrder([own, ...others].map((list) => list.map(([name]) => name.toLowerCase())));
  return new Map(
    order.flatMap((lower) => {
      const header = known.get(lower);
      return header === undefined ? [] : [[lower, header]];
    }),
  );
}

function bodyPattern(body: JsonNode, variables: Variables): PatternBody {
  const said = member(body, 'client_metadata');
  const metadata = said?.kind === 'object' ? objectPlace(said, variables) : undefined;
  return {
    prewarms: member(body, 'generate') !== undefined,
    constant: ['type', 'stream'].flatMap((key): RawMember[] => {
      const value = member(body, key);
      return value === undefined ? [] : [[key, printJson(value)]];
    }),
    metadata,
    metadataOfOthers: metadata === undefined ? undefined : withoutMember(metadata, liteFlag),
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
function flagsOfModels(bodies: readonly JsonNode[]): Map<string, readonly RawMember[]> {
  const flags = new Map<string, readonly RawMember[]>();
  for (const body of bodies) {
    const metadata = member(member(member(body, 'client_metadata'), 'x-codex-turn-metadata'), jsonMark);
    const model = stringAt(body, 'model') ?? '';
    if (metadata?.kind !== 'object' || flags.has(model)) continue;
    flags.set(
      model,
      metadata.members.flatMap(([key, value]): RawMember[] =>
        value.kind === 'literal' ? [[key, printJson(value)]] : [],
      ),
    );
  }
  return flags;
}

function keysOf(node: JsonNode): string[] {
  return node.kind === 'object' ? node.members.map(([key]) => key) : [];
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
