import { type Golden, jsonMark } from '../../golden/golden.ts';
import type { VariableKind } from '../../golden/pattern/kinds.ts';
import { soleVariable } from '../../golden/pattern/template.ts';
import type { Exchange, Step } from '../../golden/trace/exchanges.ts';
import { variablesInEvent } from '../../golden/trace/variable-uses.ts';
import { type JsonMember, type JsonNode, mapChildren, member, printJson, stringAt } from '../../wire/json.ts';
import { turnMetadata } from '../../wire/turn-metadata.ts';
import {
  type CompiledPattern,
  compileObject,
  compilePattern,
  type GoldenVariables,
  type ObjectPattern,
  variableNames,
} from './compiled-pattern.ts';
import { keyOrder } from './key-order.ts';
import type { RawMember } from './raw-json.ts';

/** The template for requests over one transport: one golden, completed by the other goldens of its version. */
export type RequestPattern = {
  readonly codex: string;
  readonly variables: GoldenVariables;
  /** All headers of the version in order, by lower-case name. */
  readonly headers: ReadonlyMap<string, HeaderPattern>;
  /** The same for accounts of government agencies, whose requests have a header more and another order. */
  readonly fedrampHeaders: ReadonlyMap<string, HeaderPattern>;
  readonly bodies: readonly BodyPattern[];
  /** Members of turn metadata that depend on the model, by model (measured: codex 0.169.0, scenario model-not-lite). */
  readonly modelFlags: ReadonlyMap<string, readonly RawMember[]>;
  /** The models whose requests have the lite flag. */
  readonly liteModels: ReadonlySet<string>;
  /** The order of all keys that a request may have. */
  readonly keyOrder: ReadonlySet<string>;
  /** Variables for session and thread ids. A root thread has one variable for both. */
  readonly identityVariables: ReadonlySet<string>;
  /** Variables that keep their value for a session, such as the installation id. */
  readonly sessionVariables: ReadonlySet<string>;
  /** Variables that keep their value for a turn, however many connections it takes. */
  readonly turnVariables: ReadonlySet<string>;
};

export type HeaderPattern = {
  readonly name: string;
  readonly required: boolean;
  readonly value: CompiledPattern;
};

export type BodyPattern = {
  /** Whether the request is a prewarm (`generate: false`) and not a turn. */
  readonly isPrewarm: boolean;
  /** Members that are equal in every request (`type` and `stream`), as JSON texts. */
  readonly constants: readonly RawMember[];
  readonly metadata: ObjectPattern | undefined;
  /** The same for a model that is not lite. */
  readonly nonLiteMetadata: ObjectPattern | undefined;
};

/**
 * The metadata key for lite models, which take instructions and tools as input items (measured: codex 0.169.0; a request
 * for gpt-5.4 lacks the key).
 */
export const liteFlag = 'ws_request_header_x_openai_internal_codex_responses_lite';

/**
 * The place of a key that programs send and the official client no longer does (measured: codex 0.118.0 to 0.160.0; from
 * 0.164.0 on, the instructions are an item of the input).
 */
const formerKeys = ['model', 'instructions'];

export type Transport = 'websocket' | 'http';

/** The request members of an outline that keep their values. */
const outlinedMembers: ReadonlySet<string> = new Set(['model', 'client_metadata']);

/** Returns a golden reduced to what requestPattern needs of it as one of `others`: no responses, no request content. */
export function outlineOf(golden: Golden): Golden {
  const exchanges = golden.exchanges.map((exchange) => ({
    ...exchange,
    steps: exchange.steps.flatMap((step): Step[] => {
      if (!isFromClient(step) || step.content.kind !== 'json') return [];
      const json = mapChildren(step.content.json, (value, key = '') =>
        outlinedMembers.has(key) ? value : { kind: 'literal', value: null },
      );
      return [{ ...step, content: { ...step.content, json } }];
    }),
  }));
  return { ...golden, exchanges };
}

/** The goldens that complete a template. All are of its version, and may be outlines. */
export type FurtherGoldens = {
  /** Of the template's lane. */
  readonly others: readonly Golden[];
  /** Of the lane `fedramp`. Without one for the transport, the account makes no difference. */
  readonly fedramp: readonly Golden[];
};

/** Returns the pattern of a golden's requests over a transport, or undefined if it has none. */
export function requestPattern(
  golden: Golden,
  { others, fedramp }: FurtherGoldens,
  transport: Transport,
): RequestPattern | undefined {
  const request = requestsOver(transport, [golden])[0]?.request;
  if (request === undefined) return undefined;
  const { variables } = golden;
  const otherHeaders = requestsOver(transport, others).map((exchange) => exchange.request.headers);
  const ownBodies = bodiesOver(transport, [golden]);
  const allBodies = [...ownBodies, ...bodiesOver(transport, others)];
  // The other transport adds the keys that no golden of this one has. The order is the same over both (measured: codex
  // 0.118.0 to 0.171.0, scenarios http-fast and http-model-not-lite).
  const orders = [
    ...allBodies,
    ...bodiesOver(transport === 'http' ? 'websocket' : 'http', [golden, ...others]),
  ];
  const bodies = ownBodies.map((body) => bodyPattern(body, variables));
  const identityVariables = identityVariablesIn(ownBodies[0]);
  const sessionVariables = exclude(sessionVariablesOf(golden), identityVariables);
  const turnVariables = bodies.flatMap(({ metadata }) => variableNames(metadata?.members.get(turnMetadata)));
  const headers = headerPatterns([request.headers, ...otherHeaders], variables);
  const [fedrampRequest] = requestsOver(transport, fedramp).map((exchange) => exchange.request.headers);
  return {
    codex: golden.codex,
    variables,
    headers,
    fedrampHeaders: fedrampRequest === undefined ? headers : fedrampPatterns(headers, fedrampRequest),
    bodies,
    modelFlags: modelFlagsIn(allBodies),
    liteModels: liteModelsIn(bodiesOver('websocket', [golden, ...others])),
    keyOrder: new Set(
      keyOrder([
        ...orders.map((body) => (body.kind === 'object' ? body.members.map(([key]) => key) : [])),
        formerKeys,
      ]),
    ),
    identityVariables,
    sessionVariables,
    turnVariables: exclude(turnVariables, new Set([...identityVariables, ...sessionVariables])),
  };
}

/** The headers of the first list are required; the other lists add optional ones. */
function headerPatterns(
  lists: readonly (readonly JsonMember[])[],
  variables: GoldenVariables,
): Map<string, HeaderPattern> {
  const known = new Map<string, HeaderPattern>();
  for (const [index, list] of lists.entries()) {
    for (const [name, value] of list) {
      const lower = name.toLowerCase();
      if (known.has(lower)) continue;
      known.set(lower, { name, required: index === 0, value: compilePattern(value, variables) });
    }
  }
  const order = keyOrder(lists.map((list) => list.map(([name]) => name.toLowerCase())));
  return new Map([...known].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)));
}

/** Returns the patterns of `headers` in the order of a request of lane `fedramp`, with those that it has in addition. */
function fedrampPatterns(
  headers: ReadonlyMap<string, HeaderPattern>,
  request: readonly JsonMember[],
): Map<string, HeaderPattern> {
  const own = request.map(([name, value]): [string, HeaderPattern] => {
    const lower = name.toLowerCase();
    // The further header is a constant: it says what the account is.
    return [lower, headers.get(lower) ?? { name, required: true, value: compilePattern(value, new Map()) }];
  });
  const order = keyOrder([own.map(([name]) => name), [...headers.keys()]]);
  return new Map([...own, ...headers].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)));
}

function bodyPattern(body: JsonNode, variables: GoldenVariables): BodyPattern {
  const clientMetadata = member(body, 'client_metadata');
  const metadata = clientMetadata?.kind === 'object' ? compileObject(clientMetadata, variables) : undefined;
  return {
    isPrewarm: member(body, 'generate') !== undefined,
    constants: ['type', 'stream'].flatMap((key): RawMember[] => {
      const value = member(body, key);
      return value === undefined ? [] : [[key, printJson(value)]];
    }),
    metadata,
    nonLiteMetadata: metadata && {
      ...metadata,
      members: new Map([...metadata.members].filter(([key]) => key !== liteFlag)),
    },
  };
}

function requestsOver(transport: Transport, goldens: readonly Golden[]): Exchange[] {
  return goldens.flatMap(({ exchanges }) => exchanges.filter((one) => transportOf(one) === transport));
}

function transportOf({ request }: Exchange): Transport | undefined {
  if (request.method === 'GET') return 'websocket';
  const target = request.target.kind === 'string' ? request.target.value : '';
  return /\/responses(?:\?|$)/.test(target) ? 'http' : undefined;
}

function isFromClient(step: Step): step is Exclude<Step, { type: 'response' }> {
  return step.type !== 'response' && step.from === 'client';
}

function bodiesOver(transport: Transport, goldens: readonly Golden[]): JsonNode[] {
  const steps = requestsOver(transport, goldens).flatMap((exchange) => exchange.steps.filter(isFromClient));
  const bodies = steps.flatMap(({ content }) => (content.kind === 'json' ? [content.json] : []));
  return bodies.filter((body) => member(body, 'model') !== undefined);
}

function liteModelsIn(bodies: readonly JsonNode[]): Set<string> {
  const lite = bodies.filter((body) => member(member(body, 'client_metadata'), liteFlag) !== undefined);
  return new Set(lite.flatMap((body) => stringAt(body, 'model') ?? []));
}

/** Returns the literal members of turn metadata, from the first request for each model. */
function modelFlagsIn(bodies: readonly JsonNode[]): Map<string, readonly RawMember[]> {
  const flags = new Map<string, readonly RawMember[]>();
  for (const body of bodies) {
    const metadata = member(member(member(body, 'client_metadata'), turnMetadata), jsonMark);
    const model = stringAt(body, 'model') ?? '';
    if (metadata?.kind !== 'object' || flags.has(model)) continue;
    const literals = metadata.members.filter(([, value]) => value.kind === 'literal');
    flags.set(
      model,
      literals.map(([key, value]) => [key, printJson(value)]),
    );
  }
  return flags;
}

function identityVariablesIn(body: JsonNode | undefined): Set<string> {
  const ids = [
    stringAt(body, 'prompt_cache_key'),
    stringAt(body, 'client_metadata', 'session_id'),
    stringAt(body, 'client_metadata', 'thread_id'),
  ];
  return new Set(ids.flatMap((text) => (text === undefined ? [] : (soleVariable(text) ?? []))));
}

function exclude(names: Iterable<string>, excluded: ReadonlySet<string>): Set<string> {
  return new Set([...names].filter((name) => !excluded.has(name)));
}

/** A value that is in the handshake, or in more than one message, belongs to the session. */
function sessionVariablesOf(golden: Golden): Set<string> {
  const [handshake] = requestsOver('websocket', [golden]);
  const steps = golden.exchanges.flatMap((exchange) => exchange.steps.filter(isFromClient));
  const messages = steps.map((step) => new Set(variablesInEvent(step)));
  const inHandshake = handshake === undefined ? [] : variablesInEvent(handshake.request);
  const repeated = [...golden.variables.keys()].filter(
    (name) => messages.filter((names) => names.has(name)).length > 1,
  );
  const names = [...inHandshake, ...repeated];
  return new Set(names.filter((name) => lastingKinds.has(golden.variables.get(name)?.kind)));
}

/** Kinds of values that can last for a session. Clocks change, and sign-in and connection have their own values. */
const lastingKinds = new Set<VariableKind | undefined>([
  'uuid7',
  'uuid4',
  'uuid5',
  'secret_uuid4',
  'host_text',
]);
