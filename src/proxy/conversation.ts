import type { Exchange } from '../golden/dialogue.ts';
import { Filler } from '../golden/fill.ts';
import type { Golden } from '../golden/golden.ts';
import { kinds } from '../golden/kinds.ts';
import { Matcher } from '../golden/match.ts';
import { parseTemplate, soleVariable } from '../golden/template.ts';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import { type JsonMember, type JsonNode, jsonString, member, printJson, stringAt } from '../wire/json.ts';
import { Envelope } from './envelope.ts';
import type { Identity } from './identity.ts';
import { keyOrder } from './key-order.ts';
import type { SignIn } from './sign-in.ts';
import { wireTier } from './tier.ts';

/** What a conversation takes its shape from. */
export type Pattern = {
  readonly golden: Golden;
  readonly handshake: Exchange['request'];
  /** The requests of the golden, in their order. */
  readonly bodies: readonly JsonNode[];
  /** The order of all keys that a request of this version may have. */
  readonly order: readonly string[];
};

/**
 * Members of a request that are not content: they are written anew from identity, tier and golden. All others are
 * the client's own words and go upstream as they came.
 */
const envelopeKeys: ReadonlySet<string> = new Set([
  'type',
  'stream',
  'service_tier',
  'prompt_cache_key',
  'client_metadata',
]);

/**
 * Says that the model takes instructions and tools as input items. A request that has them at top level is of another
 * model, and does not say it (measured: codex 0.169.0 with gpt-5.4).
 */
const liteFlag = 'ws_request_header_x_openai_internal_codex_responses_lite';

/** Handshake headers in which the client states facts of its own: its value wins over the golden's. */
const clientStates: ReadonlySet<string> = new Set([
  'x-codex-beta-features',
  'x-codex-window-id',
  'x-codex-turn-metadata',
]);

/** Shapes the requests of one conversation: its identity is the same at every place. */
export class Conversation {
  readonly #pattern: Pattern;
  readonly #identity: Identity;
  readonly #heard: HeaderList;
  readonly #filler: Filler;
  readonly #envelope: Envelope;
  readonly #matcher: Matcher;

  /** `heard` is the client's own handshake. */
  constructor(pattern: Pattern, identity: Identity, signIn: SignIn, heard: HeaderList) {
    this.#pattern = pattern;
    this.#identity = identity;
    this.#heard = heard;
    this.#filler = new Filler(pattern.golden.variables, []);
    this.#envelope = new Envelope(this.#filler, identity, identifyingVariables(pattern.bodies[0]));
    this.#matcher = this.#learner(pattern.golden);
    for (const [name, value] of pattern.handshake.headers) {
      const own = headerValue(heard, name);
      if (own !== undefined) this.#learn(value, jsonString(own));
    }
    this.#bindHeader('chatgpt-account-id', signIn.accountId);
    this.#bindHeader('authorization', signIn.accessToken);
  }

  /** The upgrade request's headers, in the golden's order and case. `key` is the Sec-WebSocket-Key to use. */
  handshake(host: string, key: string, model: string, tier: string | undefined): HeaderList {
    this.#filler.set('authority', host);
    this.#bindHeader('sec-websocket-key', key);
    return this.#pattern.handshake.headers.map(([name, pattern]) => {
      const lower = name.toLowerCase();
      if (lower === 'x-codex-routing-hint') return [name, routingHint(model, tier)];
      const own = clientStates.has(lower) ? headerValue(this.#heard, name) : undefined;
      const value = this.#envelope.value(pattern, own === undefined ? undefined : jsonString(own), name);
      return [name, value.kind === 'string' ? value.value : printJson(value)];
    });
  }

  /** A request as it goes upstream: the client's content in the golden's envelope. */
  body(heard: JsonNode): JsonNode {
    const pattern = this.#patternFor(heard);
    const metadata = metadataFor(heard, member(pattern, 'client_metadata'));
    const said = member(heard, 'client_metadata');
    if (said !== undefined && metadata !== undefined) this.#learn(metadata, said);

    const members = new Map<string, JsonNode>();
    for (const [key, value] of membersOf(heard)) if (!envelopeKeys.has(key)) members.set(key, value);
    for (const key of ['type', 'stream']) {
      const value = member(pattern, key);
      if (value !== undefined) members.set(key, this.#filler.node(value));
    }
    const tier = wireTier(stringAt(heard, 'service_tier'));
    if (tier !== undefined) members.set('service_tier', jsonString(tier));
    members.set('prompt_cache_key', jsonString(this.#identity.session));
    if (metadata !== undefined) {
      members.set('client_metadata', this.#envelope.value(metadata, said, 'client_metadata'));
    }

    const order = keyOrder([this.#pattern.order, membersOf(heard).map(([key]) => key)]);
    const ordered = order.flatMap((key): JsonMember[] => {
      const value = members.get(key);
      return value === undefined ? [] : [[key, value]];
    });
    return { kind: 'object', members: ordered };
  }

  /** The golden's request of the same sort: a prewarm (`generate: false`) or a turn. */
  #patternFor(heard: JsonNode): JsonNode | undefined {
    const isPrewarm = (body: JsonNode) => member(body, 'generate') !== undefined;
    const { bodies } = this.#pattern;
    return bodies.find((body) => isPrewarm(body) === isPrewarm(heard)) ?? bodies[0];
  }

  /** Takes from what a client says the values of the golden's variables, where they are of the right kind. */
  #learner({ variables }: Golden): Matcher {
    return new Matcher(variables, {
      mismatch: () => {},
      occurrence: (name, value) => {
        const kind = variables.get(name)?.kind;
        if (kind === undefined || this.#envelope.heard(name, value)) return;
        if (kinds[kind === 'secret_uuid4' ? 'uuid4' : kind].takes(value)) this.#filler.set(name, value);
      },
    });
  }

  #learn(pattern: JsonNode, said: JsonNode): void {
    this.#matcher.node(pattern, said, { exchange: 1, part: 'client', path: [] });
  }

  /** Gives the one variable in a header of the golden its value. */
  #bindHeader(name: string, value: string): void {
    const pattern = this.#pattern.handshake.headers.find(([other]) => other.toLowerCase() === name)?.[1];
    if (pattern?.kind !== 'string') return;
    for (const part of parseTemplate(pattern.value)) {
      if ('variable' in part) this.#filler.set(part.variable, value);
    }
  }
}

/** The golden's client metadata, less what does not hold for a request's model. */
function metadataFor(heard: JsonNode, metadata: JsonNode | undefined): JsonNode | undefined {
  if (metadata?.kind !== 'object' || member(heard, 'tools') === undefined) return metadata;
  return { kind: 'object', members: metadata.members.filter(([key]) => key !== liteFlag) };
}

/** The variables at the places of session and thread. */
function identifyingVariables(body: JsonNode | undefined): Set<string> {
  const places = [
    stringAt(body, 'prompt_cache_key'),
    stringAt(body, 'client_metadata', 'session_id'),
    stringAt(body, 'client_metadata', 'thread_id'),
  ];
  return new Set(places.flatMap((text) => (text === undefined ? [] : (soleVariable(text) ?? []))));
}

/** The routing hint (since 0.149): the model, and the tier where there is one (measured: codex 0.169.0). */
function routingHint(model: string, tier: string | undefined): string {
  return `model=${model}${tier === undefined ? '' : `;tier=${tier}`}`;
}

function membersOf(node: JsonNode | undefined): readonly JsonMember[] {
  return node?.kind === 'object' ? node.members : [];
}
