import { Filler } from '../../golden/pattern/fill.ts';
import { kinds, type VariableKind } from '../../golden/pattern/kinds.ts';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { printJson, tryParseJson } from '../../wire/json.ts';
import type { SignIn } from '../sign-in/load.ts';
import { learn, type Place, variablesAt } from './compiled-pattern.ts';
import { Envelope } from './envelope.ts';
import type { Identity } from './identity.ts';
import { keyOrder } from './key-order.ts';
import type { Pattern, PatternBody } from './pattern.ts';
import {
  printedLength,
  printMembers,
  type RawMember,
  type RawObject,
  rawItems,
  rawMember,
  rawMembers,
  rawObject,
  rawString,
  stringIn,
} from './raw-json.ts';
import { wireTier } from './tier.ts';

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

/** As the flag of the body: see pattern.ts. */
const liteHeader = 'x-openai-internal-codex-responses-lite';

const turnMetadata = 'x-codex-turn-metadata';

/** Headers in which the client states facts of its own: its value wins over the golden's. */
const clientStates: ReadonlySet<string> = new Set([
  'x-codex-beta-features',
  'x-codex-window-id',
  turnMetadata,
]);

/** Headers in which a client of the golden's own version names itself: `codex exec`, an editor's plugin, … */
const clientNames: ReadonlySet<string> = new Set(['originator', 'user-agent']);

/** What the headers of a request must know besides the conversation. */
export type HeaderFacts = {
  readonly host: string;
  readonly signIn: SignIn;
  readonly model: string;
  readonly tier: string | undefined;
  /** The Sec-WebSocket-Key of a handshake. */
  readonly key?: string;
  /** The turn metadata of the request that is made; the handshake's own, which is a prewarm's, unless given. */
  readonly metadata?: string | undefined;
};

/** A request as it goes upstream. */
export type ShapedBody = {
  readonly text: string;
  /** The turn metadata in it; undefined where the version has none in the body. */
  readonly metadata: string | undefined;
  readonly lite: boolean;
};

/** Shapes the requests of one conversation: its identity is the same at every place. */
export class Conversation {
  readonly #pattern: Pattern;
  readonly #identity: Identity;
  readonly #heard: HeaderList;
  /** Values that hold for all requests, by the names of the golden's variables. */
  readonly #lasting: Map<string, string>;
  /** Ids that the client used for itself. */
  readonly #clientIds = new Set<string>();

  /** `heard` is what the client's own headers say; `lasting` may be shared by conversations of one session. */
  constructor(pattern: Pattern, identity: Identity, heard: HeaderList, lasting: Map<string, string>) {
    this.#pattern = pattern;
    this.#identity = identity;
    this.#heard = heard;
    this.#lasting = lasting;
    const filler = new Filler(pattern.variables, lasting);
    for (const name of pattern.lasting) lasting.set(name, filler.value(name));
    for (const { name, required, place } of pattern.headers.values()) {
      const own = required ? headerValue(heard, name) : undefined;
      if (own !== undefined) this.#learn(place, JSON.stringify(own), (key, value) => lasting.set(key, value));
    }
  }

  /** The headers of an upgrade, in the golden's order and case. */
  handshake(facts: HeaderFacts): HeaderList {
    return this.#headers(facts, true, this.#filler());
  }

  /** The headers of a POST with that body, packed into `length` bytes. */
  post(facts: HeaderFacts, { metadata, lite }: ShapedBody, length: number): HeaderList {
    const filler = this.#filler();
    this.#bindHeader(filler, 'content-length', String(length));
    const stated = headerValue(this.#heard, turnMetadata) ?? metadata;
    return this.#headers({ ...facts, metadata: stated }, lite, filler);
  }

  /**
   * A request as it goes upstream: the client's content in the golden's envelope. `turn` has the values of its turn,
   * and is given those that it lacks.
   */
  body(heard: readonly RawMember[], turn: Map<string, string> = new Map()): ShapedBody {
    const filler = this.#filler();
    for (const [name, value] of turn) filler.set(name, value);
    const lite = rawMember(heard, 'tools') === undefined && rawMember(heard, 'instructions') === undefined;
    const pattern = this.#patternFor(heard);
    const metadata = lite ? pattern?.metadata : pattern?.metadataOfOthers;
    const said = rawMember(heard, 'client_metadata');
    if (said !== undefined && metadata !== undefined) {
      this.#learn(metadata, said, (name, value) => {
        filler.set(name, value);
        if (this.#pattern.lasting.has(name)) this.#lasting.set(name, value);
      });
    }

    const members = new Map<string, string>();
    for (const [key, value] of heard) if (!envelopeKeys.has(key)) members.set(key, value);
    for (const [key, value] of pattern?.constant ?? []) members.set(key, value);
    const tier = wireTier(rawString(heard, 'service_tier'));
    if (tier !== undefined) members.set('service_tier', JSON.stringify(tier));
    members.set('prompt_cache_key', JSON.stringify(this.#cacheKey(heard)));
    const envelope =
      metadata === undefined
        ? undefined
        : this.#envelope(filler, heard).members(metadata, rawMembers(said ?? ''));
    if (envelope !== undefined) members.set('client_metadata', printMembers(envelope));
    for (const name of this.#pattern.ofTurn) turn.set(name, filler.value(name));

    const order = keyOrder([this.#pattern.order, heard.map(([key]) => key)]);
    const ordered = order.flatMap((key): RawMember[] => {
      const value = members.get(key);
      return value === undefined ? [] : [[key, value]];
    });
    return { text: printMembers(ordered), metadata: rawString(envelope ?? [], turnMetadata), lite };
  }

  /** The session's id; a reviewer of older versions has its thread's (measured: codex 0.140.0, scenario review). */
  #cacheKey(heard: readonly RawMember[]): string {
    const { session, thread } = this.#identity;
    return rawString(heard, 'prompt_cache_key') === thread ? thread : session;
  }

  #headers(facts: HeaderFacts, lite: boolean, filler: Filler): HeaderList {
    filler.set('authority', facts.host);
    if (facts.key !== undefined) this.#bindHeader(filler, 'sec-websocket-key', facts.key);
    if (facts.signIn.lane === 'chatgpt') {
      this.#bindHeader(filler, 'chatgpt-account-id', facts.signIn.accountId);
    }
    this.#bindHeader(filler, 'authorization', facts.signIn.accessToken);
    const envelope = this.#envelope(filler, []);
    return [...this.#pattern.headers].flatMap(([lower, { name, required, place }]): HeaderList => {
      if (lower === liteHeader && !lite) return [];
      const own = headerValue(this.#heard, name);
      if (!required) return own === undefined ? [] : [[name, own]];
      if (lower === 'x-codex-routing-hint') return [[name, routingHint(facts)]];
      if (lower === turnMetadata && facts.metadata !== undefined && own === undefined) {
        return [[name, facts.metadata]];
      }
      const states = clientStates.has(lower) || (clientNames.has(lower) && this.#isOfVersion());
      const said = own === undefined || !states ? undefined : JSON.stringify(own);
      const value = envelope.value(place, said, name);
      return [[name, stringIn(value) ?? value]];
    });
  }

  /** Whether the client is of the golden's version, or does not tell, as those do not that have no user agent. */
  #isOfVersion(): boolean {
    const agent = headerValue(this.#heard, 'user-agent');
    return agent === undefined || agent.includes(`/${this.#pattern.codex} `);
  }

  #filler(): Filler {
    return new Filler(this.#pattern.variables, this.#lasting);
  }

  #envelope(filler: Filler, request: readonly RawMember[]): Envelope {
    return new Envelope(
      filler,
      this.#identity,
      this.#pattern.identifying,
      this.#clientIds,
      this.#facts(request),
    );
  }

  /** What turn metadata tells of the request it belongs to: undefined where the request does not say it. */
  #facts(request: readonly RawMember[]): ReadonlyMap<string, string | undefined> {
    if (request.length === 0) return new Map();
    const reasoning = rawMembers(rawMember(request, 'reasoning') ?? '') ?? [];
    return new Map([
      ['model', stringText(request, 'model')],
      ['reasoning_effort', stringText(reasoning, 'effort')],
      ...(this.#pattern.ofModels.get(rawString(request, 'model') ?? '') ?? []),
    ]);
  }

  /** The golden's request of the same sort: a prewarm (`generate: false`) or a turn. */
  #patternFor(heard: readonly RawMember[]): PatternBody | undefined {
    const prewarms = rawMember(heard, 'generate') !== undefined;
    const { bodies } = this.#pattern;
    return bodies.find((body) => body.prewarms === prewarms) ?? bodies[0];
  }

  /** Takes from what a client says the values of the golden's variables, where they are of the right kind. */
  #learn(place: Place, said: string, set: (name: string, value: string) => void): void {
    const { variables, identifying } = this.#pattern;
    learn(place, said, (name, value) => {
      if (identifying.has(name)) this.#clientIds.add(value);
      else if (takes(variables.get(name)?.kind, value)) set(name, value);
    });
  }

  /** Gives the one variable in a header of the golden its value. */
  #bindHeader(filler: Filler, name: string, value: string): void {
    for (const variable of variablesAt(this.#pattern.headers.get(name)?.place)) filler.set(variable, value);
  }
}

/** Whether a client's value may stand for a variable. What is sealed in a golden is a plain id on the wire. */
function takes(kind: VariableKind | undefined, value: string): boolean {
  return kind !== undefined && kinds[kind === 'secret_uuid4' ? 'uuid4' : kind].takes(value);
}

/** A member that is a string, as JSON; undefined for another kind of value. */
function stringText(members: readonly RawMember[], key: string): string | undefined {
  const text = rawMember(members, key);
  return text?.startsWith('"') ? text : undefined;
}

/** The routing hint (since 0.149): the model, and the tier where there is one (measured: codex 0.169.0). */
function routingHint({ model, tier }: HeaderFacts): string {
  return `model=${model}${tier === undefined ? '' : `;tier=${tier}`}`;
}

/**
 * A request as it is spoken on the wire: compact, with the items of its input where that is a list. Undefined for what
 * is no JSON object.
 */
export function readRequest(text: string): RawObject | undefined {
  const request = rawObject(text, 'input');
  if (request === undefined || printedLength(request.members) === text.length) return request;
  const members = request.members.map(([key, value]): RawMember => {
    const node = tryParseJson(value)?.node;
    return [key, node === undefined ? value : printJson(node)];
  });
  return { members, items: rawItems(rawMember(members, 'input') ?? '') };
}

/** As readRequest, its members alone. */
export function requestMembers(text: string): RawMember[] | undefined {
  return readRequest(text)?.members;
}
