import { type JsonNode, jsonString, toNode } from '../wire/json.ts';
import { type Alignment, align } from './align.ts';
import { authorityMark, withHost } from './authority.ts';
import { contentNode } from './content-node.ts';
import { type Conversation, conversationOf } from './conversation.ts';
import type { Exchange } from './dialogue.ts';
import { endMismatches } from './ends.ts';
import type { Golden } from './golden.ts';
import { Matcher } from './match.ts';
import type { Mismatch, Place } from './mismatch.ts';
import { type Known, Notes } from './notes.ts';
import { firstEvents, givenByBackend } from './origin.ts';
import { maximumPairs, type Shortcut, StepUnifier } from './unify-steps.ts';

/**
 * Unifies the model traffic of a trace with a golden: every mismatch, in the order of the golden, none when the
 * trace says what the official client says. What the backend said is never a mismatch; it is read only for the
 * values it gave (response ids), which the client must have used.
 */
export function unify(golden: Golden, actual: readonly Exchange[]): Mismatch[] {
  const { variables, exchanges } = golden;
  const pattern = {
    variables,
    given: givenByBackend(exchanges),
    firstEvents: firstEvents(exchanges),
    conversations: exchanges.map(conversationOf),
  };
  return unifyConversations(pattern, actual.map(conversationOf));
}

/** A golden as it is compared. */
export type Pattern = Known & { readonly conversations: readonly Conversation[] };

/** As unify does. */
export function unifyConversations(
  pattern: Pattern,
  actual: readonly Conversation[],
  shortcut: Shortcut = () => undefined,
): Mismatch[] {
  return new Unification(pattern, actual, shortcut).run();
}

/** By so many of its messages an exchange is recognised. */
const recognised = 64;

class Unification {
  readonly #expected: readonly Conversation[];
  readonly #actual: readonly Conversation[];
  readonly #notes: Notes;
  /** Matches what the client said. */
  readonly #matcher: Matcher;
  /** Reads what the backend said: for its values only. */
  readonly #reader: Matcher;
  readonly #steps: StepUnifier;

  constructor(pattern: Pattern, actual: readonly Conversation[], shortcut: Shortcut) {
    const { variables } = pattern;
    const notes = new Notes(pattern);
    this.#expected = pattern.conversations;
    this.#actual = actual;
    this.#notes = notes;
    this.#matcher = new Matcher(variables, {
      mismatch: (mismatch) => notes.mismatch(mismatch),
      occurrence: (variable, value, place) => notes.occurrence(variable, value, place, false),
    });
    this.#reader = new Matcher(variables, {
      mismatch: () => {},
      occurrence: (variable, value, place) => notes.occurrence(variable, value, place, true),
    });
    this.#steps = new StepUnifier(notes, this.#matcher, this.#reader, shortcut);
  }

  run(): Mismatch[] {
    return this.#notes.from(() => this.#read());
  }

  #read(): void {
    const { pairs, missing, added } = this.#correspondence(this.#expected, this.#actual);
    for (const [one, other] of pairs) {
      const [expected, found] = [this.#expected[one], this.#actual[other]];
      if (expected !== undefined && found !== undefined) this.#exchange(expected, found);
    }
    for (const at of missing) this.#wholeExchange('missing', this.#expected[at], at + 1);
    for (const at of added) this.#wholeExchange('added', this.#actual[at], at + 1);
  }

  /** Exchanges correspond by position; where there are too many or too few, by what they are like. */
  #correspondence(expected: readonly Conversation[], actual: readonly Conversation[]): Alignment {
    if (expected.length === actual.length) {
      return { pairs: expected.map((_, at): [number, number] => [at, at]), missing: [], added: [] };
    }
    const { pairs, missing, added } = align(
      expected.length,
      actual.length,
      (one, other) => this.#likenessOfExchanges(expected[one], actual[other]),
      maximumPairs,
    );
    // What is like nothing is still better compared with what is left than told twice.
    const both = Math.min(missing.length, added.length);
    const further = missing.slice(0, both).map((one, at): [number, number] => [one, added[at] ?? one]);
    return { pairs: [...pairs, ...further], missing: missing.slice(both), added: added.slice(both) };
  }

  #likenessOfExchanges(expected: Conversation | undefined, actual: Conversation | undefined): number {
    if (expected === undefined || actual === undefined) return 0;
    if (expected.request.method !== actual.request.method) return 0;
    const said = ({ client }: Conversation): JsonNode => ({
      kind: 'array',
      items: Array.from({ length: Math.min(client.length, recognised) }, (_, at) =>
        contentNode(client.step(at).content),
      ),
    });
    return this.#matcher.likeness(said(expected), said(actual));
  }

  #wholeExchange(kind: 'missing' | 'added', whole: Conversation | undefined, exchange: number): void {
    if (whole === undefined) return;
    const { request } = whole;
    const text = `${request.method} ${request.target.kind === 'string' ? request.target.value : ''}`;
    this.#notes.mismatch({
      kind,
      places: [{ exchange, part: 'request', path: [] }],
      expected: kind === 'missing' ? text : null,
      actual: kind === 'added' ? text : null,
    });
  }

  #exchange(expected: Conversation, actual: Conversation): void {
    const { exchange } = expected.request;
    this.#handshake(expected, actual, exchange);
    if (expected.response !== undefined && actual.response !== undefined) {
      const head = { exchange, part: 'backend response', path: [] };
      this.#reader.fields(expected.response.headers, actual.response.headers, head);
    }
    this.#steps.backend(expected.backend, actual.backend, exchange);
    this.#steps.client(expected.client, actual.client, exchange);
    for (const mismatch of endMismatches(expected, actual)) this.#notes.mismatch(mismatch);
  }

  #handshake(expected: Conversation, actual: Conversation, exchange: number): void {
    const place: Place = { exchange, part: 'handshake', path: [] };
    this.#compare(jsonString(expected.request.method), jsonString(actual.request.method), place, 'method');
    this.#compare(expected.request.target, actual.request.target, place, 'target');
    this.#alpn(expected, actual, place);
    this.#matcher.fields(
      withHost(expected.request.headers, authorityMark, authority),
      withHost(actual.request.headers, actual.connection.authority, authority),
      place,
      expected.request.unordered !== true,
    );
  }

  #compare(expected: JsonNode, actual: JsonNode, place: Place, name: string): void {
    this.#matcher.node(expected, actual, { ...place, path: [name] });
  }

  /** ALPN can only be compared where both connections were made over TLS. */
  #alpn({ connection: expected }: Conversation, { connection: actual }: Conversation, place: Place): void {
    if (expected.tls === null || actual.tls === null) return;
    this.#compare(toNode(expected.tls.offered), toNode(actual.tls.offered), place, 'ALPN offered');
  }
}

/** What stands for the connection's own authority while headers are compared; no host can be called so. */
const authority = '<the host connected to>';
