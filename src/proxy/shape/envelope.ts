import type { Filler } from '../../golden/pattern/fill.ts';
import { printJson } from '../../wire/json.ts';
import { documentIn, filled, type ObjectPlace, type Place, type TextPlace } from './compiled-pattern.ts';
import type { Identity } from './identity.ts';
import { keyOrder } from './key-order.ts';
import { printMembers, type RawMember, rawMember, rawMembers, stringIn } from './raw-json.ts';

/**
 * Writes what stands around the content of a request: headers and client metadata. Each value is the client's own
 * where it stated one, else the golden's, filled; but wherever the golden has the identity, the effective one stands.
 * Values are JSON texts, as they were spelled.
 */
export class Envelope {
  readonly #filler: Filler;
  readonly #identity: Identity;
  /** The variables that the golden has at the places of session and thread; one and the same in a root thread. */
  readonly #identifying: ReadonlySet<string>;
  /** Ids that the client used at such places. */
  readonly #clientIds: ReadonlySet<string>;
  /** What a document in a string repeats of the request, where the client did not state it; undefined for nothing. */
  readonly #facts: ReadonlyMap<string, string | undefined>;

  constructor(
    filler: Filler,
    identity: Identity,
    identifying: ReadonlySet<string>,
    clientIds: ReadonlySet<string>,
    facts: ReadonlyMap<string, string | undefined>,
  ) {
    this.#filler = filler;
    this.#identity = identity;
    this.#identifying = identifying;
    this.#clientIds = clientIds;
    this.#facts = facts;
  }

  /** The value for a place of the golden; `said` is what the client stated there. */
  value(place: Place, said: string | undefined, key: string): string {
    switch (place.kind) {
      case 'text':
        return this.#text(place, said, key);
      case 'object':
        return printMembers(this.members(place, rawMembers(said ?? '')));
      case 'document':
        return JSON.stringify(printMembers(this.members(place.inner, documentIn(said), false)));
      case 'other':
        return said ?? place.text ?? printJson(this.#filler.node(place.pattern));
    }
  }

  /** `complete`: members that the client did not state are added; its turn metadata is taken to be whole. */
  members(
    { members, ordered }: ObjectPlace,
    said: readonly RawMember[] | undefined,
    complete = true,
  ): RawMember[] {
    const [known, own] = [[...members.keys()], (said ?? []).map(([key]) => key)];
    const keys = said === undefined ? known : keyOrder(ordered ? [known, own] : [own, known]);
    return keys.flatMap((key): RawMember[] => {
      const [wanted, stated] = [members.get(key), rawMember(said ?? [], key)];
      if (wanted === undefined) return stated === undefined ? [] : [[key, stated]];
      if (stated === undefined && said !== undefined && !complete) return [];
      if (stated === undefined && !complete && this.#facts.has(key)) {
        const fact = this.#facts.get(key);
        return fact === undefined ? [] : [[key, fact]];
      }
      return [[key, this.value(wanted, stated, key)]];
    });
  }

  /** A text with variables: where the identity stands in it, the effective one is written. */
  #text(place: TextPlace, said: string | undefined, key: string): string {
    const identifying = place.variables.filter((name) => this.#identifying.has(name));
    if (identifying.length === 0) return said ?? this.#filled(place);
    const effective = isOfThread(key) ? this.#identity.thread : this.#identity.session;
    if (place.sole) return JSON.stringify(effective);
    const stated = stringIn(said);
    if (stated !== undefined) {
      // Part of a longer text, such as the number of the window behind the thread: the rest is the client's.
      const ids = [...this.#clientIds];
      return JSON.stringify(ids.reduce((text, id) => text.replaceAll(id, effective), stated));
    }
    for (const name of identifying) this.#filler.set(name, effective);
    return this.#filled(place);
  }

  #filled(place: TextPlace): string {
    const text = filled(place, this.#filler);
    return place.number ? text : JSON.stringify(text);
  }
}

/** Places that name the thread; the others name the session (measured: codex 0.169.0, with a subagent). */
function isOfThread(key: string): boolean {
  return /thread|window|x-client-request-id/i.test(key);
}
