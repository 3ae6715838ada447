import type { Golden } from '../../golden/golden.ts';
import { Filler } from '../../golden/pattern/fill.ts';
import type { HeaderList } from '../../wire/headers.ts';
import type { JsonNode } from '../../wire/json.ts';
import { filled, type Place } from './compiled-pattern.ts';
import type { Identity } from './identity.ts';
import { type Pattern, patternOf, type Transport } from './pattern.ts';
import { Conversation } from './request-shaper.ts';

/** The shape of requests at one version, as its goldens show it: the names, order and case of all that is sent. */
export class Shape {
  readonly #websocket: Pattern;
  readonly #http: Pattern | undefined;

  /**
   * `golden` is the pattern of a turn over the websocket, `fallback` of one over HTTP, where it is known; `others` of
   * the same version, whose outlines do, tell where further keys and headers stand.
   */
  constructor(golden: Golden, others: readonly Golden[], fallback?: Golden) {
    const websocket = patternOf(golden, others, 'websocket');
    if (websocket === undefined) throw new RangeError(`${golden.scenario}: a golden without a websocket`);
    this.#websocket = websocket;
    this.#http = fallback === undefined ? undefined : patternOf(fallback, others, 'http');
  }

  /** The version of the official client that is spoken like. */
  get codex(): string {
    return this.#websocket.codex;
  }

  /** What the golden's client calls itself. `hostTexts` is what it would tell of this machine. */
  client(hostTexts: ReadonlyMap<string, string>): { originator: string; userAgent: string } {
    const { variables, headers } = this.#http ?? this.#websocket;
    const filler = new Filler(variables, hostTexts);
    const text = (name: string) => {
      const place = headers.get(name)?.place;
      if (place?.kind === 'text') return filled(place, filler);
      const constant = constantAt(place);
      return constant?.kind === 'string' ? constant.value : '';
    };
    return { originator: text('originator'), userAgent: text('user-agent') };
  }

  /** Whether it is known how the version speaks over HTTP. */
  get speaksHttp(): boolean {
    return this.#http !== undefined;
  }

  /** Whether the golden's client offers permessage-deflate. */
  get compresses(): boolean {
    const offer = constantAt(this.#websocket.headers.get('sec-websocket-extensions')?.place);
    return offer?.kind === 'string' && offer.value.startsWith('permessage-deflate');
  }

  /** Whether the handshake names the model, so that it can only be made once the model is known. */
  get hintsAtModel(): boolean {
    return this.#websocket.headers.get('x-codex-routing-hint')?.required === true;
  }

  /** Whether the client sends a request that prepares the model before its first turn. */
  get prewarms(): boolean {
    return this.#websocket.bodies.some(({ prewarms }) => prewarms);
  }

  /** A conversation in this shape over a transport that it knows. `heard` is what the client's own headers say. */
  conversation(
    identity: Identity,
    heard: HeaderList,
    transport: Transport = 'websocket',
    lasting: Map<string, string> = new Map(),
  ): Conversation {
    const pattern = transport === 'http' ? this.#http : this.#websocket;
    if (pattern === undefined) throw new RangeError(`codex ${this.codex}: a shape without HTTP`);
    return new Conversation(pattern, identity, heard, lasting);
  }
}

function constantAt(place: Place | undefined): JsonNode | undefined {
  return place?.kind === 'other' ? place.pattern : undefined;
}
