import type { Exchange } from '../golden/dialogue.ts';
import { Filler } from '../golden/fill.ts';
import type { Golden } from '../golden/golden.ts';
import { kinds } from '../golden/kinds.ts';
import { Matcher } from '../golden/match.ts';
import { parseTemplate } from '../golden/template.ts';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import { type JsonMember, type JsonNode, jsonString, member, printJson, stringAt } from '../wire/json.ts';
import type { Identity } from './identity.ts';
import { keyOrder } from './key-order.ts';
import type { SignIn } from './sign-in.ts';
import { wireTier } from './tier.ts';

/**
 * Members of a request that are not content: they are written anew from identity, tier and golden. All others are
 * the client's own words and go upstream as they came.
 */
const envelope: ReadonlySet<string> = new Set([
  'type',
  'stream',
  'service_tier',
  'prompt_cache_key',
  'client_metadata',
]);

/** Handshake headers in which the client states facts of its own: its value wins over the golden's. */
const clientStates: ReadonlySet<string> = new Set([
  'x-codex-beta-features',
  'x-codex-window-id',
  'x-codex-turn-metadata',
]);

/** The shape of requests at one version, as its goldens show it: the names, order and case of all that is sent. */
export class Shape {
  readonly #golden: Golden;
  readonly #handshake: Exchange['request'];
  readonly #bodies: readonly JsonNode[];
  readonly #order: readonly string[];

  /** `golden` is the pattern that is filled; `others` of the same version tell where further keys stand. */
  constructor(golden: Golden, others: readonly Golden[]) {
    const [exchange] = golden.exchanges;
    if (exchange === undefined) throw new RangeError(`${golden.scenario}: a golden without an exchange`);
    this.#golden = golden;
    this.#handshake = exchange.request;
    this.#bodies = requestBodies([golden]);
    this.#order = keyOrder([golden, ...others].flatMap((one) => requestBodies([one])).map(keysOf));
  }

  /** Whether the golden's client offers permessage-deflate. */
  get compresses(): boolean {
    const offer = this.#handshake.headers.find(
      ([name]) => name.toLowerCase() === 'sec-websocket-extensions',
    )?.[1];
    return offer?.kind === 'string' && offer.value.startsWith('permessage-deflate');
  }

  /** Whether the handshake names the model, so that it can only be made once the model is known. */
  get hintsAtModel(): boolean {
    return this.#handshake.headers.some(([name]) => name.toLowerCase() === 'x-codex-routing-hint');
  }

  /** A conversation in this shape. `heard` is the client's own handshake. */
  conversation(identity: Identity, signIn: SignIn, heard: HeaderList): Conversation {
    return new Conversation(
      this.#golden,
      this.#handshake,
      this.#bodies,
      this.#order,
      identity,
      signIn,
      heard,
    );
  }
}

/** Shapes the requests of one conversation: its identity is the same at every place. */
export class Conversation {
  readonly #handshake: Exchange['request'];
  readonly #bodies: readonly JsonNode[];
  readonly #order: readonly string[];
  readonly #identity: Identity;
  readonly #heard: HeaderList;
  readonly #filler: Filler;
  readonly #matcher: Matcher;

  constructor(
    golden: Golden,
    handshake: Exchange['request'],
    bodies: readonly JsonNode[],
    order: readonly string[],
    identity: Identity,
    signIn: SignIn,
    heard: HeaderList,
  ) {
    this.#handshake = handshake;
    this.#bodies = bodies;
    this.#order = order;
    this.#identity = identity;
    this.#heard = heard;
    this.#filler = new Filler(golden.variables, []);
    this.#matcher = learner(golden, this.#filler);
    this.#learnHeaders();
    this.#bindHeader('chatgpt-account-id', signIn.accountId);
    this.#bindHeader('authorization', signIn.accessToken);
    this.#bindIdentity();
  }

  /** The upgrade request's headers, in the golden's order and case. `key` is the Sec-WebSocket-Key to use. */
  handshake(host: string, key: string, model: string, tier: string | undefined): HeaderList {
    this.#filler.set('authority', host);
    this.#bindHeader('sec-websocket-key', key);
    return this.#handshake.headers.map(([name, pattern]) => {
      const lower = name.toLowerCase();
      if (lower === 'x-codex-routing-hint') return [name, routingHint(model, tier)];
      const own = clientStates.has(lower) ? headerValue(this.#heard, name) : undefined;
      if (own !== undefined) return [name, this.#identified(own)];
      const filled = this.#filler.node(pattern);
      return [name, filled.kind === 'string' ? filled.value : printJson(filled)];
    });
  }

  /** A request as it goes upstream: the client's content in the golden's envelope. */
  body(heard: JsonNode): JsonNode {
    const pattern = this.#patternFor(heard);
    const said = member(heard, 'client_metadata');
    const patternMetadata = member(pattern, 'client_metadata');
    if (said !== undefined && patternMetadata !== undefined) this.#learn(patternMetadata, said);
    this.#bindIdentity();

    const members = new Map<string, JsonNode>();
    for (const [key, value] of membersOf(heard)) if (!envelope.has(key)) members.set(key, value);
    for (const key of ['type', 'stream']) {
      const value = member(pattern, key);
      if (value !== undefined) members.set(key, this.#filler.node(value));
    }
    const tier = wireTier(stringAt(heard, 'service_tier'));
    if (tier !== undefined) members.set('service_tier', jsonString(tier));
    members.set('prompt_cache_key', jsonString(this.#identity.session));
    if (patternMetadata !== undefined) members.set('client_metadata', this.#metadata(patternMetadata, said));

    const order = keyOrder([this.#order, membersOf(heard).map(([key]) => key)]);
    const ordered = order.flatMap((key): JsonMember[] => {
      const value = members.get(key);
      return value === undefined ? [] : [[key, value]];
    });
    return { kind: 'object', members: ordered };
  }

  /** The golden's request of the same sort: a prewarm (`generate: false`) or a turn. */
  #patternFor(heard: JsonNode): JsonNode | undefined {
    const isPrewarm = (body: JsonNode) => member(body, 'generate') !== undefined;
    return this.#bodies.find((body) => isPrewarm(body) === isPrewarm(heard)) ?? this.#bodies[0];
  }

  /** What the client said of itself, with one identity; what it did not say, as the golden has it. */
  #metadata(pattern: JsonNode, said: JsonNode | undefined): JsonNode {
    const filled = membersOf(this.#filler.node(pattern));
    const names = new Set(filled.map(([key]) => key));
    const further = membersOf(said).filter(([key]) => !names.has(key));
    const members = filled.map(([key, value]): JsonMember => {
      const own = stringAt(said, key);
      return [key, own === undefined ? value : jsonString(this.#identified(own))];
    });
    return { kind: 'object', members: [...members, ...further] };
  }

  /** A text of the client in which its own session and thread stand, with the effective ones in their place. */
  #identified(text: string): string {
    let identified = text;
    for (const [own, effective] of this.#aliases()) identified = identified.replaceAll(own, effective);
    return identified;
  }

  #aliases(): [string, string][] {
    const session = headerValue(this.#heard, 'session-id') ?? headerValue(this.#heard, 'session_id');
    return session === undefined || session === this.#identity.session
      ? []
      : [[session, this.#identity.session]];
  }

  #learnHeaders(): void {
    for (const [name, pattern] of this.#handshake.headers) {
      const own = headerValue(this.#heard, name);
      if (own !== undefined) this.#learn(pattern, jsonString(own));
    }
  }

  #learn(pattern: JsonNode, said: JsonNode): void {
    this.#matcher.node(pattern, said, { exchange: 1, part: 'client', path: [] });
  }

  #bindIdentity(): void {
    const body = this.#bodies[0];
    this.#bind(member(body, 'prompt_cache_key'), this.#identity.session);
    this.#bind(member(member(body, 'client_metadata'), 'thread_id'), this.#identity.thread);
  }

  #bindHeader(name: string, value: string): void {
    this.#bind(this.#handshake.headers.find(([other]) => other.toLowerCase() === name)?.[1], value);
  }

  /** Gives the one variable at a place of the golden its value. */
  #bind(pattern: JsonNode | undefined, value: string): void {
    if (pattern?.kind !== 'string') return;
    for (const part of parseTemplate(pattern.value)) {
      if ('variable' in part) this.#filler.set(part.variable, value);
    }
  }
}

/** The routing hint (since 0.149): the model, and the tier where there is one (measured: codex 0.169.0). */
function routingHint(model: string, tier: string | undefined): string {
  return `model=${model}${tier === undefined ? '' : `;tier=${tier}`}`;
}

/** Takes from what a client said the values of the golden's variables, where they are of the right kind. */
function learner(golden: Golden, filler: Filler): Matcher {
  return new Matcher(golden.variables, {
    mismatch: () => {},
    occurrence: (name, value) => {
      const kind = golden.variables.get(name)?.kind;
      if (kind === undefined) return;
      const plain = kind === 'secret_uuid4' ? 'uuid4' : kind;
      if (kinds[plain].takes(value)) filler.set(name, value);
    },
  });
}

function requestBodies(goldens: readonly Golden[]): JsonNode[] {
  return goldens
    .flatMap(({ exchanges }) => exchanges)
    .flatMap(({ steps }) => steps)
    .flatMap((step) =>
      step.type === 'message' && step.from === 'client' && step.content.kind === 'json'
        ? [step.content.json]
        : [],
    );
}

function membersOf(node: JsonNode | undefined): readonly JsonMember[] {
  return node?.kind === 'object' ? node.members : [];
}

function keysOf(node: JsonNode): string[] {
  return membersOf(node).map(([key]) => key);
}
