import { Filler } from '../../golden/pattern/fill.ts';
import { kinds, type VariableKind } from '../../golden/pattern/kinds.ts';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { turnMetadata } from '../../wire/turn-metadata.ts';
import { compressZstd } from '../../wire/zstd.ts';
import type { UpstreamRequest } from '../http/upstream/send-upstream.ts';
import type { SignIn } from '../sign-in/sign-in.ts';
import { type CompiledPattern, extractValues, variableNames } from './compiled-pattern.ts';
import { EnvelopeWriter } from './envelope-writer.ts';
import type { Identity } from './identity.ts';
import { keyOrder } from './key-order.ts';
import { printMembers, type RawMember, rawMember, rawMembers, rawString, stringIn } from './raw-json.ts';
import { liteFlag, type RequestPattern } from './request-pattern.ts';
import { wireTier } from './tier.ts';

/** Members that the shaper writes from identity, tier and golden. All others are content and stay unchanged. */
const envelopeKeys: ReadonlySet<string> = new Set([
  'type',
  'stream',
  'service_tier',
  'prompt_cache_key',
  'client_metadata',
]);

/** Ids of a client to recognise. A request has a few; a client may send new ones each time. */
const mostClientIds = 16;

/** The header for lite models; see liteFlag in request-pattern.ts. */
export const liteHeader = 'x-openai-internal-codex-responses-lite';

/**
 * Headers whose value from the client takes precedence over the golden's. The first ones name the client and its version,
 * which need not be the golden's.
 */
const clientHeaderNames: ReadonlySet<string> = new Set([
  'originator',
  'user-agent',
  'version',
  'x-codex-beta-features',
  'x-codex-window-id',
  turnMetadata,
]);

export type ShaperOptions = {
  readonly identity: Identity;
  readonly clientHeaders?: HeaderList;
  /** Values of the golden's variables that last for the session. The shaper adds missing ones; shapers may share it. */
  readonly sessionValues?: Map<string, string>;
};

/** What the headers of a request contain besides the identity. */
export type HeaderFacts = {
  readonly host: string;
  readonly signIn: SignIn;
  readonly model: string;
  readonly tier: string | undefined;
  /** The Sec-WebSocket-Key of a handshake. */
  readonly key?: string;
  /** The turn metadata of the request to send. Without it, the golden's own, which is that of a prewarm, is filled. */
  readonly metadata?: string | undefined;
};

export type PostFacts = Pick<HeaderFacts, 'host' | 'signIn'> & {
  readonly members: readonly RawMember[];
  /** See RequestShaper#body. */
  readonly turnValues?: Map<string, string>;
};

export type PackedPost = Pick<UpstreamRequest, 'headers' | 'body'>;

/** A request body in the golden's shape. */
export type ShapedBody = {
  /** The members of the JSON object. */
  readonly members: readonly RawMember[];
  /** Returns the turn metadata in the body; undefined if the version sends none there. */
  readonly metadata: () => string | undefined;
  readonly lite: boolean;
};

/** Gives requests with one identity the shape of a golden. */
export class RequestShaper {
  readonly #pattern: RequestPattern;
  readonly #identity: Identity;
  readonly #clientHeaders: HeaderList;
  readonly #sessionValues: Map<string, string>;
  /** The ids that the client sent where the golden has the identity. */
  readonly #clientIds = new Set<string>();

  constructor(
    pattern: RequestPattern,
    { identity, clientHeaders = [], sessionValues = new Map() }: ShaperOptions,
  ) {
    this.#pattern = pattern;
    this.#identity = identity;
    this.#clientHeaders = clientHeaders;
    this.#sessionValues = sessionValues;
    const filler = this.#filler();
    for (const name of pattern.sessionVariables) sessionValues.set(name, filler.value(name));
    for (const { name, required, value } of pattern.headers.values()) {
      const sent = required ? headerValue(clientHeaders, name) : undefined;
      if (sent === undefined) continue;
      this.#extract(value, JSON.stringify(sent), (variable, text) => sessionValues.set(variable, text));
    }
  }

  /** Returns the headers of an upgrade in the golden's order and case. */
  handshakeHeaders(facts: HeaderFacts): HeaderList {
    return this.#headers(facts, true, this.#filler());
  }

  /** Returns a POST. Its body is compressed if the golden's headers say so. */
  async post({ members, host, signIn, turnValues }: PostFacts): Promise<PackedPost> {
    const model = rawString(members, 'model') ?? '';
    const facts = { host, signIn, model, tier: wireTier(rawString(members, 'service_tier')) };
    const shaped = this.body(members, turnValues);
    const metadata = shaped.metadata();
    const headersFor = (body: Buffer) => {
      const filler = this.#filler();
      this.#setHeaderVariable(filler, 'content-length', String(body.length));
      return this.#headers({ ...facts, metadata }, shaped.lite, filler);
    };
    const plain = Buffer.from(printMembers(shaped.members), 'utf8');
    const packed = await compressZstd(plain);
    const headers = headersFor(packed);
    if (headerValue(headers, 'content-encoding') === 'zstd') return { headers, body: packed };
    return { headers: headersFor(plain), body: plain };
  }

  /**
   * Returns a request with the client's content and the golden's envelope. `turnValues` are the values of the golden's
   * variables in earlier requests of the turn; missing ones are added.
   */
  body(request: readonly RawMember[], turnValues: Map<string, string> = new Map()): ShapedBody {
    const filler = this.#filler();
    for (const [name, value] of turnValues) filler.set(name, value);
    const isPrewarm = rawMember(request, 'generate') !== undefined;
    const { bodies } = this.#pattern;
    const pattern = bodies.find((body) => body.isPrewarm === isPrewarm) ?? bodies[0];
    const clientMetadata = rawMember(request, 'client_metadata');
    const lite = this.#isLite(rawString(request, 'model') ?? '', clientMetadata);
    const metadata = lite ? pattern?.metadata : pattern?.nonLiteMetadata;
    if (clientMetadata !== undefined && metadata !== undefined) {
      this.#extract(metadata, clientMetadata, (name, value) => {
        filler.set(name, value);
        if (this.#pattern.sessionVariables.has(name)) this.#sessionValues.set(name, value);
      });
    }

    const members = new Map<string, string>();
    for (const [key, value] of request) if (!envelopeKeys.has(key)) members.set(key, value);
    for (const [key, value] of pattern?.constants ?? []) members.set(key, value);
    const tier = wireTier(rawString(request, 'service_tier'));
    if (tier !== undefined) members.set('service_tier', JSON.stringify(tier));
    // Reviewers of older versions send the thread id (measured: codex 0.140.0, scenario review).
    const { session, thread } = this.#identity;
    const sendsThread = rawString(request, 'prompt_cache_key') === thread;
    members.set('prompt_cache_key', JSON.stringify(sendsThread ? thread : session));
    if (metadata !== undefined) {
      const envelope = this.#envelope(filler, request);
      members.set('client_metadata', envelope.object(metadata, rawMembers(clientMetadata ?? '')));
    }
    for (const name of this.#pattern.turnVariables) turnValues.set(name, filler.value(name));

    const { keyOrder: known } = this.#pattern;
    const isKnown = request.every(([key]) => known.has(key));
    const order = isKnown ? known : keyOrder([[...known], request.map(([key]) => key)]);
    const ordered: RawMember[] = [];
    for (const key of order) {
      const value = members.get(key);
      if (value !== undefined) ordered.push([key, value]);
    }
    return {
      members: ordered,
      // With a getter, V8 would keep each request until it collects the whole heap (measured: node 24.21.0).
      metadata: () => rawString(rawMembers(members.get('client_metadata') ?? '') ?? [], turnMetadata),
      lite,
    };
  }

  #headers(facts: HeaderFacts, lite: boolean, filler: Filler): HeaderList {
    const { signIn, key, host } = facts;
    filler.set('authority', host);
    if (key !== undefined) this.#setHeaderVariable(filler, 'sec-websocket-key', key);
    if (signIn.lane === 'chatgpt') this.#setHeaderVariable(filler, 'chatgpt-account-id', signIn.accountId);
    this.#setHeaderVariable(filler, 'authorization', signIn.accessToken);
    const envelope = this.#envelope(filler, []);
    const { headers, fedrampHeaders } = this.#pattern;
    const isFedramp = signIn.lane === 'chatgpt' && signIn.fedramp === true;
    return [...(isFedramp ? fedrampHeaders : headers)].flatMap(
      ([lower, { name, required, value }]): HeaderList => {
        const sent = headerValue(this.#clientHeaders, name);
        if (lower === liteHeader && !lite) return [];
        if (!required) return sent === undefined ? [] : [[name, sent]];
        if (lower === 'x-codex-routing-hint') return [[name, escapeForHeader(routingHint(facts))]];
        if (lower === turnMetadata && facts.metadata !== undefined && sent === undefined) {
          return [[name, escapeForHeader(facts.metadata)]];
        }
        const keepsSent = clientHeaderNames.has(lower);
        const kept = sent === undefined || !keepsSent ? undefined : JSON.stringify(sent);
        const json = envelope.value(value, kept, name);
        return [[name, escapeForHeader(stringIn(json) ?? json, kept === undefined)]];
      },
    );
  }

  /** The model decides. A golden may not know it, but the official client does. */
  #isLite(model: string, clientMetadata: string | undefined): boolean {
    const states =
      headerValue(this.#clientHeaders, liteHeader) ??
      rawMember(rawMembers(clientMetadata ?? '') ?? [], liteFlag);
    return states !== undefined || this.#pattern.liteModels.has(model);
  }

  #filler(): Filler {
    return new Filler(this.#pattern.variables, this.#sessionValues);
  }

  #envelope(filler: Filler, request: readonly RawMember[]): EnvelopeWriter {
    return new EnvelopeWriter({
      filler,
      identity: this.#identity,
      identityVariables: this.#pattern.identityVariables,
      clientIds: this.#clientIds,
      requestValues: this.#requestValues(request),
    });
  }

  /** Returns the values that turn metadata repeats from its request, as JSON texts. */
  #requestValues(request: readonly RawMember[]): ReadonlyMap<string, string | undefined> {
    if (request.length === 0) return new Map();
    const reasoning = rawMembers(rawMember(request, 'reasoning') ?? '') ?? [];
    return new Map([
      ['model', rawStringJson(request, 'model')],
      ['reasoning_effort', rawStringJson(reasoning, 'effort')],
      ...(this.#pattern.modelFlags.get(rawString(request, 'model') ?? '') ?? []),
    ]);
  }

  /** Reads the values of the golden's variables from a client's JSON. Skips values of the wrong kind. */
  #extract(pattern: CompiledPattern, json: string, onValue: (name: string, value: string) => void): void {
    const { variables, identityVariables } = this.#pattern;
    extractValues(pattern, json, (name, value) => {
      if (identityVariables.has(name)) this.#addClientId(value);
      else if (isOfKind(variables.get(name)?.kind, value)) onValue(name, value);
    });
  }

  #addClientId(id: string): void {
    this.#clientIds.delete(id);
    this.#clientIds.add(id);
    const [oldest = id] = this.#clientIds;
    if (this.#clientIds.size > mostClientIds) this.#clientIds.delete(oldest);
  }

  #setHeaderVariable(filler: Filler, header: string, value: string): void {
    for (const name of variableNames(this.#pattern.headers.get(header)?.value)) filler.set(name, value);
  }
}

/** UTF-16 code units. A backend refuses much shorter headers, so the rest of a longer one would only take time. */
const longestHeader = 256 * 1024;

/**
 * Escapes what a header cannot carry as JSON does: the official client writes its turn metadata so. A client's own header
 * may contain bytes above 0x7f; they stay.
 */
export function escapeForHeader(text: string, onlyAscii = true): string {
  return text
    .slice(0, longestHeader)
    .replaceAll(onlyAscii ? /[^\t\x20-\x7e]/g : /[^\t\x20-\x7e\x80-\xff]/g, (character) => {
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    });
}

/** Whether a client's value is of a variable's kind. An id that is sealed in goldens is a plain id on the wire. */
function isOfKind(kind: VariableKind | undefined, value: string): boolean {
  return kind !== undefined && kinds[kind === 'secret_uuid4' ? 'uuid4' : kind].accepts(value);
}

/** UTF-16 code units of JSON. Longer values are not repeated in turn metadata, which goes into a header. */
const longestRepeated = 4096;

/** Returns a string member as JSON, or undefined for another kind of value, and for one that is too long to repeat. */
function rawStringJson(members: readonly RawMember[], key: string): string | undefined {
  const json = rawMember(members, key);
  return json?.startsWith('"') && json.length <= longestRepeated ? json : undefined;
}

/** The routing hint (since 0.149): the model, and the tier if there is one (measured: codex 0.169.0). */
function routingHint({ model, tier }: HeaderFacts): string {
  return `model=${model}${tier === undefined ? '' : `;tier=${tier}`}`;
}
