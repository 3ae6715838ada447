import type { Filler } from '../golden/fill.ts';
import {
  type JsonMember,
  type JsonNode,
  type JsonObject,
  jsonString,
  member,
  printJson,
} from '../wire/json.ts';
import type { Identity } from './identity.ts';
import { keyOrder } from './key-order.ts';
import { documentIn, filled, type ObjectPlace, type Place, type TextPlace } from './place.ts';

/**
 * Writes what stands around the content of a request: headers and client metadata. Each value is the client's own
 * where it stated one, else the golden's, filled; but wherever the golden has the identity, the effective one stands.
 */
export class Envelope {
  readonly #filler: Filler;
  readonly #identity: Identity;
  /** The variables that the golden has at the places of session and thread; one and the same in a root thread. */
  readonly #identifying: ReadonlySet<string>;
  /** Ids that the client used at such places. */
  readonly #clientIds: ReadonlySet<string>;
  /** What a document in a string repeats of the request, where the client did not state it; undefined for nothing. */
  readonly #facts: ReadonlyMap<string, JsonNode | undefined>;

  constructor(
    filler: Filler,
    identity: Identity,
    identifying: ReadonlySet<string>,
    clientIds: ReadonlySet<string>,
    facts: ReadonlyMap<string, JsonNode | undefined>,
  ) {
    this.#filler = filler;
    this.#identity = identity;
    this.#identifying = identifying;
    this.#clientIds = clientIds;
    this.#facts = facts;
  }

  /** The value for a place of the golden; `said` is what the client stated there. */
  value(place: Place, said: JsonNode | undefined, key: string): JsonNode {
    switch (place.kind) {
      case 'text':
        return this.#text(place, said, key);
      case 'object':
        return this.#object(place, said?.kind === 'object' ? said : undefined, true);
      case 'document':
        return jsonString(printJson(this.#object(place.inner, documentIn(said), false)));
      case 'other':
        return said ?? this.#filler.node(place.pattern);
    }
  }

  /** `complete`: members that the client did not state are added; its turn metadata is taken to be whole. */
  #object({ members, ordered }: ObjectPlace, said: JsonObject | undefined, complete: boolean): JsonNode {
    const [known, own] = [[...members.keys()], said?.members.map(([key]) => key) ?? []];
    const keys = keyOrder(ordered ? [known, own] : [own, known]);
    const written = keys.flatMap((key): JsonMember[] => {
      const [wanted, stated] = [members.get(key), member(said, key)];
      if (wanted === undefined) return stated === undefined ? [] : [[key, stated]];
      if (stated === undefined && said !== undefined && !complete) return [];
      if (stated === undefined && !complete && this.#facts.has(key)) {
        const fact = this.#facts.get(key);
        return fact === undefined ? [] : [[key, fact]];
      }
      return [[key, this.value(wanted, stated, key)]];
    });
    return { kind: 'object', members: written };
  }

  /** A text with variables: where the identity stands in it, the effective one is written. */
  #text(place: TextPlace, said: JsonNode | undefined, key: string): JsonNode {
    const identifying = place.variables.filter((name) => this.#identifying.has(name));
    if (identifying.length === 0) return said ?? filled(place, this.#filler);
    const effective = isOfThread(key) ? this.#identity.thread : this.#identity.session;
    if (place.sole) return jsonString(effective);
    if (said?.kind === 'string') {
      // Part of a longer text, such as the number of the window behind the thread: the rest is the client's.
      const ids = [...this.#clientIds];
      return jsonString(ids.reduce((text, id) => text.replaceAll(id, effective), said.value));
    }
    for (const name of identifying) this.#filler.set(name, effective);
    return filled(place, this.#filler);
  }
}

/** Places that name the thread; the others name the session (measured: codex 0.169.0, with a subagent). */
function isOfThread(key: string): boolean {
  return /thread|window|x-client-request-id/i.test(key);
}
