import type { Content, MessageEvent } from '../trace/event.ts';
import { type JsonNode, jsonString, toNode } from '../wire/json.ts';
import { type Alignment, align, likenessOfForm } from './align.ts';
import { type Conversation, conversationOf, type Spoken, type Steps } from './conversation.ts';
import type { Exchange } from './dialogue.ts';
import { endMismatches } from './ends.ts';
import type { Golden, Variable } from './golden.ts';
import { Matcher } from './match.ts';
import { brief, type Mismatch, type Place } from './mismatch.ts';
import { Occurrences } from './occurrences.ts';
import { firstEvents, givenByBackend } from './origin.ts';

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

/** A golden as it is compared; `given`: the variables that the backend says first. */
export type Pattern = {
  readonly variables: ReadonlyMap<string, Variable>;
  readonly given: ReadonlySet<string>;
  /** By variable, the number of the event it stands in first. */
  readonly firstEvents: ReadonlyMap<string, number>;
  readonly conversations: readonly Conversation[];
};

/** A variable, by its name, with a value that stands in its place. */
export type Found = { readonly variable: string; readonly value: string };

/**
 * Matches a step of a golden with a step of a trace without a look into them: what the Matcher would find in them, in
 * its order, where it would find nothing wrong; undefined where it must have a look itself.
 */
export type Shortcut = (
  expected: Steps,
  one: number,
  actual: Steps,
  other: number,
) => readonly Found[] | undefined;

/** As unify does. */
export function unifyConversations(
  pattern: Pattern,
  actual: readonly Conversation[],
  shortcut: Shortcut = () => undefined,
): Mismatch[] {
  return new Unification(pattern, actual, shortcut).run();
}

/** Two lists of steps with more pairs than this are not compared each with each, but window by window. */
const maximumPairs = 4096;
/** By so many of its messages an exchange is recognised. */
const recognised = 64;

class Unification {
  readonly #expected: readonly Conversation[];
  readonly #actual: readonly Conversation[];
  readonly #shortcut: Shortcut;
  readonly #given: ReadonlySet<string>;
  readonly #mismatches: Mismatch[] = [];
  readonly #occurrences: Occurrences;
  /** The variables whose places are noted; undefined in the first reading, in which mismatches are. */
  #suspects: ReadonlySet<string> | undefined;
  readonly #matcher: Matcher;
  /** Matches what the backend said: values only. */
  readonly #reader: Matcher;

  constructor(
    { variables, given, firstEvents, conversations }: Pattern,
    actual: readonly Conversation[],
    shortcut: Shortcut,
  ) {
    this.#expected = conversations;
    this.#actual = actual;
    this.#shortcut = shortcut;
    this.#given = given;
    this.#occurrences = new Occurrences(variables, firstEvents);
    this.#matcher = new Matcher(variables, {
      mismatch: (mismatch) => this.#mismatch(mismatch),
      occurrence: (variable, value, place) => this.#occurrence(variable, value, place, false),
    });
    this.#reader = new Matcher(variables, {
      mismatch: () => {},
      occurrence: (variable, value, place) => {
        if (given.has(variable)) this.#occurrence(variable, value, place, true);
      },
    });
  }

  run(): Mismatch[] {
    this.#read();
    const suspects = this.#occurrences.suspects();
    if (suspects.size > 0) {
      this.#suspects = suspects;
      this.#read();
    }
    return [...this.#mismatches, ...this.#occurrences.mismatches()];
  }

  #mismatch(mismatch: Mismatch): void {
    if (this.#suspects === undefined) this.#mismatches.push(mismatch);
  }

  #occurrence(variable: string, value: string, place: Place, given: boolean): void {
    if (this.#suspects === undefined) this.#occurrences.add(variable, value, given);
    else if (this.#suspects.has(variable)) this.#occurrences.locate(variable, value, place, given);
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
    this.#mismatch({
      kind,
      places: [{ exchange, part: 'request', path: [] }],
      expected: kind === 'missing' ? text : null,
      actual: kind === 'added' ? text : null,
    });
  }

  #exchange(expected: Conversation, actual: Conversation): void {
    const { exchange } = expected.request;
    const place: Place = { exchange, part: 'handshake', path: [] };
    this.#compare(jsonString(expected.request.method), jsonString(actual.request.method), place, 'method');
    this.#compare(expected.request.target, actual.request.target, place, 'target');
    this.#alpn(expected, actual, place);
    const headers = actual.request.headers.map(([name, value]): (typeof actual.request.headers)[number] => {
      const isHost = name.toLowerCase() === 'host' && value.kind === 'string';
      return isHost && value.value === actual.connection.authority
        ? [name, jsonString(authority)]
        : [name, value];
    });
    const patterns = expected.request.headers.map(([name, value]): (typeof actual.request.headers)[number] =>
      value.kind === 'string' && value.value === '{{authority}}'
        ? [name, jsonString(authority)]
        : [name, value],
    );
    this.#matcher.fields(patterns, headers, place, expected.request.unordered !== true);
    if (expected.response !== undefined && actual.response !== undefined) {
      const head = { exchange, part: 'backend response', path: [] };
      this.#reader.fields(expected.response.headers, actual.response.headers, head);
    }
    this.#backendSteps(expected.backend, actual.backend, exchange);
    this.#clientSteps(expected.client, actual.client, exchange);
    for (const mismatch of endMismatches(expected, actual)) this.#mismatch(mismatch);
  }

  #compare(expected: JsonNode, actual: JsonNode, place: Place, name: string): void {
    this.#matcher.node(expected, actual, { ...place, path: [name] });
  }

  /** ALPN can only be compared where both connections were made over TLS. */
  #alpn({ connection: expected }: Conversation, { connection: actual }: Conversation, place: Place): void {
    if (expected.tls === null || actual.tls === null) return;
    this.#compare(toNode(expected.tls.offered), toNode(actual.tls.offered), place, 'ALPN offered');
  }

  /** What both begin with is done with as it comes; only from where they part on are steps looked for. */
  #clientSteps(expected: Steps, actual: Steps, exchange: number): void {
    let same = 0;
    while (same < Math.min(expected.length, actual.length)) {
      if (!this.#quickly(expected, same, actual, same, false)) {
        if (this.#likeness(expected, same, actual, same) !== 1) break;
        this.#step(expected.step(same), actual.step(same), exchange, same);
      }
      same += 1;
    }
    const alignment = align(
      expected.length - same,
      actual.length - same,
      (one, other) => this.#likeness(expected, same + one, actual, same + other),
      maximumPairs,
    );
    for (const [before, after] of alignment.pairs) {
      const [one, other] = [same + before, same + after];
      if (!this.#quickly(expected, one, actual, other, false)) {
        this.#step(expected.step(one), actual.step(other), exchange, one);
      }
    }
    const tell = (kind: 'missing' | 'added', step: Spoken, at: number) => {
      const text = describe(step);
      this.#mismatch({
        kind,
        places: [part(exchange, step, at)],
        expected: kind === 'missing' ? text : null,
        actual: kind === 'added' ? text : null,
      });
    };
    for (const one of alignment.missing) tell('missing', expected.step(same + one), same + one);
    for (const other of alignment.added) tell('added', actual.step(same + other), same + other);
  }

  /** Whether two steps match at first sight; their values are then noted. */
  #quickly(expected: Steps, one: number, actual: Steps, other: number, fromBackend: boolean): boolean {
    const found = this.#shortcut(expected, one, actual, other);
    const suspects = this.#suspects;
    // Of what is suspect the places must be known, and those only the Matcher knows.
    if (suspects !== undefined) return found?.every(({ variable }) => !suspects.has(variable)) ?? false;
    for (const { variable, value } of found ?? []) {
      if (!fromBackend || this.#given.has(variable)) this.#occurrences.add(variable, value, fromBackend);
    }
    return found !== undefined;
  }

  #likeness(expected: Steps, one: number, actual: Steps, other: number): number {
    if (this.#shortcut(expected, one, actual, other) !== undefined) return 1;
    const [wanted, found] = [expected.step(one), actual.step(other)];
    if (wanted.type !== found.type) return 0;
    const [mine, theirs] = [contentNode(wanted.content), contentNode(found.content)];
    const form = wanted.content.kind === found.content.kind ? likenessOfForm(mine, theirs) : 0;
    return Math.max(form, this.#matcher.likeness(mine, theirs));
  }

  #step(expected: Spoken, actual: Spoken, exchange: number, at: number): void {
    const place = part(exchange, expected, at);
    if (expected.type === 'message' && actual.type === 'message') this.#framing(expected, actual, place);
    if (expected.type === 'body' && actual.type === 'body' && expected.complete !== actual.complete) {
      const text = (complete: boolean) => (complete ? 'a whole body' : 'a body that was cut off');
      this.#mismatch({
        kind: 'reframed',
        places: [place],
        expected: text(expected.complete),
        actual: text(actual.complete),
      });
    }
    const [wanted, found] = [expected.content, actual.content];
    if (wanted.kind !== found.kind) {
      const [mine, theirs] = [describe(expected), describe(actual)];
      this.#mismatch({ kind: 'retyped', places: [place], expected: mine, actual: theirs });
      return;
    }
    if (wanted.kind === 'json' && found.kind === 'json' && wanted.spaced !== found.spaced) {
      const text = (spaced: boolean) => (spaced ? 'JSON with white space' : 'JSON without white space');
      this.#mismatch({
        kind: 'respelled',
        places: [place],
        expected: text(wanted.spaced),
        actual: text(found.spaced),
      });
    }
    this.#matcher.node(contentNode(wanted), contentNode(found), place);
  }

  #framing(expected: MessageEvent, actual: MessageEvent, place: Place): void {
    const aspects = [
      ['opcode', expected.opcode, actual.opcode],
      ['compressed', expected.compressed, actual.compressed],
      ['fragments', expected.fragments, actual.fragments],
    ] as const;
    for (const [aspect, wanted, found] of aspects) {
      if (wanted === found) continue;
      this.#mismatch({
        kind: 'reframed',
        places: [place],
        expected: `${aspect}: ${wanted}`,
        actual: `${aspect}: ${found}`,
      });
    }
  }

  /** Each backend message of the golden is looked up, by its type, after the one before it. */
  #backendSteps(expected: Steps, actual: Steps, exchange: number): void {
    const next = nextByType(actual);
    let from = 0;
    for (let at = 0; at < expected.length; at += 1) {
      if (from < actual.length && this.#quickly(expected, at, actual, from, true)) {
        from += 1;
        continue;
      }
      const type = expected.type(at);
      const found = next(type, from);
      if (found === undefined) continue;
      from = found + 1;
      const place = { exchange, part: `backend ${type ?? 'message'}`, path: [] };
      const [wanted, said] = [expected.step(at), actual.step(found)];
      this.#reader.node(contentNode(wanted.content), contentNode(said.content), place);
    }
  }
}

/** Finds the first step of a type from a position on; positions must not fall. Each step is looked at once. */
function nextByType(steps: Steps): (type: string | undefined, from: number) => number | undefined {
  const waiting = new Map<string | undefined, { positions: number[]; first: number }>();
  let seen = 0;
  return (type, from) => {
    seen = Math.max(seen, from);
    const queue = waiting.get(type) ?? { positions: [], first: 0 };
    while (queue.first < queue.positions.length && (queue.positions[queue.first] ?? 0) < from)
      queue.first += 1;
    const waited = queue.positions[queue.first];
    if (waited !== undefined) return waited;
    while (seen < steps.length) {
      const at = seen;
      const found = steps.type(at);
      seen += 1;
      if (found === type) return at;
      const others = waiting.get(found);
      if (others === undefined) waiting.set(found, { positions: [at], first: 0 });
      else others.positions.push(at);
    }
    return undefined;
  };
}

/** What stands for the connection's own authority while headers are compared; no host can be called so. */
const authority = '<the host connected to>';

function part(exchange: number, step: Spoken, at: number): Place {
  return { exchange, part: step.type === 'body' ? 'body' : `client message ${at + 1}`, path: [] };
}

function describe(step: Spoken): string {
  if (step.type === 'message' && step.content.kind === 'close')
    return `close ${step.content.code ?? 'without a code'}`;
  return brief(contentNode(step.content));
}

/** The content as one node, so that contents of different kinds can be compared too. */
function contentNode(content: Content): JsonNode {
  switch (content.kind) {
    case 'json':
      return content.json;
    case 'text':
      return content.text;
    case 'events':
      return { kind: 'array', items: content.events.map(({ data }) => data) };
    case 'bytes':
      return jsonString(`${content.bytes} bytes, sha256 ${content.sha256}`);
    case 'close':
      return jsonString(`close ${content.code ?? ''}`);
  }
}
