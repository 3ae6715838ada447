import type { Filler } from '../golden/fill.ts';
import { jsonMark, unorderedMark } from '../golden/golden.ts';
import { parseTemplate, soleVariable } from '../golden/template.ts';
import {
  type JsonMember,
  type JsonNode,
  type JsonObject,
  jsonString,
  member,
  printJson,
  tryParseJson,
} from '../wire/json.ts';
import type { Identity } from './identity.ts';
import { keyOrder } from './key-order.ts';

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

  /** The value for a place of the golden: `pattern` is what stands there, `said` what the client stated there. */
  value(pattern: JsonNode, said: JsonNode | undefined, key: string): JsonNode {
    if (pattern.kind === 'string')
      return this.#text(pattern.value, said, key) ?? said ?? this.#filler.node(pattern);
    if (pattern.kind !== 'object') return said ?? pattern;
    const inner = member(pattern, jsonMark);
    if (inner === undefined) return this.#object(pattern, said?.kind === 'object' ? said : undefined, true);
    const document = said?.kind === 'string' ? tryParseJson(said.value)?.node : undefined;
    if (inner.kind !== 'object') return said ?? this.#filler.node(pattern);
    return jsonString(
      printJson(this.#object(inner, document?.kind === 'object' ? document : undefined, false)),
    );
  }

  /** `complete`: members that the client did not state are added; its turn metadata is taken to be whole. */
  #object(pattern: JsonObject, said: JsonObject | undefined, complete: boolean): JsonNode {
    const patterns = pattern.members.filter(([key]) => key !== unorderedMark);
    const ordered = patterns.length === pattern.members.length;
    const [known, own] = [patterns.map(([key]) => key), said?.members.map(([key]) => key) ?? []];
    const keys = keyOrder(ordered ? [known, own] : [own, known]);
    const members = keys.flatMap((key): JsonMember[] => {
      const [wanted, stated] = [member(pattern, key), member(said, key)];
      if (wanted === undefined) return stated === undefined ? [] : [[key, stated]];
      if (stated === undefined && said !== undefined && !complete) return [];
      if (stated === undefined && !complete && this.#facts.has(key)) {
        const fact = this.#facts.get(key);
        return fact === undefined ? [] : [[key, fact]];
      }
      return [[key, this.value(wanted, stated, key)]];
    });
    return { kind: 'object', members };
  }

  /** A text in which the identity stands; undefined for other texts. */
  #text(template: string, said: JsonNode | undefined, key: string): JsonNode | undefined {
    const variables = parseTemplate(template).flatMap((part) => ('variable' in part ? [part.variable] : []));
    const identifying = variables.filter((name) => this.#identifying.has(name));
    if (identifying.length === 0) return undefined;
    const effective = isOfThread(key) ? this.#identity.thread : this.#identity.session;
    if (soleVariable(template) !== undefined) return jsonString(effective);
    if (said?.kind === 'string') {
      // Part of a longer text, such as the number of the window behind the thread: the rest is the client's.
      const ids = [...this.#clientIds];
      return jsonString(ids.reduce((text, id) => text.replaceAll(id, effective), said.value));
    }
    for (const name of identifying) this.#filler.set(name, effective);
    return jsonString(this.#filler.text(template));
  }
}

/** Places that name the thread; the others name the session (measured: codex 0.169.0, with a subagent). */
function isOfThread(key: string): boolean {
  return /thread|window|x-client-request-id/i.test(key);
}
