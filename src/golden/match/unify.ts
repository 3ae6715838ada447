import type { ConnectionTls, HeaderField } from '../../trace/trace-event.ts';
import { type JsonNode, jsonString } from '../../wire/json.ts';
import type { ClientHellos, Golden } from '../golden.ts';
import { authorityMark, officialHost, replaceHost } from '../pattern/authority.ts';
import { connectionKind, type Exchange } from '../trace/exchanges.ts';
import { headersOverHttp1, headersOverHttp2 } from '../trace/header-versions.ts';
import { firstAppearances, variablesFromBackend } from '../trace/variable-uses.ts';
import { type Alignment, align } from './align.ts';
import { Bindings } from './bindings.ts';
import { contentNode } from './content-node.ts';
import { endMismatches } from './ends.ts';
import { helloMismatches } from './hello-mismatches.ts';
import { http2Mismatches } from './http2-mismatches.ts';
import { Matcher } from './matcher.ts';
import { type Mismatch, type Place, requestValue } from './mismatch.ts';
import { type SplitExchange, splitExchange } from './split-exchange.ts';
import { maximumPairs, type PayloadAlignment, StepUnifier } from './steps.ts';

/**
 * How exchanges are paired where the numbers differ, and their messages: by likeness, or in order. In order, the nth exchange of
 * a method is paired with the nth of that method, prewarms with prewarms and turns with turns: a client that fails to retry sent
 * the first attempt, however much that looks like the retry.
 */
export type ExchangePairing = 'by likeness' | 'in order';

/**
 * Unifies the model traffic of a trace with a golden. Returns every mismatch, in the order of the golden; none when the
 * client sent what the official client sends. Backend messages never mismatch: they are read only for the values that
 * they give the client, such as response ids.
 */
export function unify(
  golden: Golden,
  actual: readonly Exchange[],
  pairing: ExchangePairing = 'by likeness',
): Mismatch[] {
  return new Unification(golden, actual, pairing).run();
}

/** Which parts of a golden and a trace are compared with each other, and the values that the variables have. */
export type Correspondence = {
  /** As indices into the exchanges. */
  readonly exchanges: Alignment;
  /** By the index of the golden's exchange: its payloads, as indices into those of the side (SplitExchange). */
  readonly payloads: ReadonlyMap<number, PayloadAlignment>;
  readonly values: ReadonlyMap<string, string>;
};

/** What `unify` compares, for a reader who wants to see both sides. */
export function correspondence(
  golden: Golden,
  actual: readonly Exchange[],
  pairing: ExchangePairing = 'by likeness',
): Correspondence {
  const unification = new Unification(golden, actual, pairing);
  unification.run();
  return unification.correspondence();
}

/** How many messages decide how similar two exchanges are. */
const comparedMessages = 64;

class Unification {
  readonly #officialHost: string;
  readonly #hellos: ClientHellos | undefined;
  readonly #expected: readonly SplitExchange[];
  readonly #actual: readonly SplitExchange[];
  readonly #mismatches: Mismatch[] = [];
  readonly #bindings: Bindings;
  /** Matches what the client sent. */
  readonly #matcher: Matcher;
  /** Reads what the backend sent: for its values only. */
  readonly #reader: Matcher;
  readonly #steps: StepUnifier;
  readonly #pairing: ExchangePairing;
  #exchanges: Alignment = { pairs: [], missing: [], added: [] };
  readonly #payloads = new Map<number, PayloadAlignment>();

  constructor(
    { lane, variables, exchanges, hellos }: Golden,
    actual: readonly Exchange[],
    pairing: ExchangePairing,
  ) {
    this.#pairing = pairing;
    this.#hellos = hellos;
    this.#officialHost = officialHost(lane);
    const given = variablesFromBackend(exchanges);
    const bindings = new Bindings(variables, firstAppearances(exchanges));
    const report = (mismatch: Mismatch) => this.#mismatches.push(mismatch);
    this.#expected = exchanges.map(splitExchange);
    this.#actual = actual.map(splitExchange);
    this.#bindings = bindings;
    this.#matcher = new Matcher(variables, {
      mismatch: report,
      occurrence: (variable, value, place) => bindings.add(variable, { value, place, given: false }),
    });
    this.#reader = new Matcher(variables, {
      mismatch: () => {},
      // What the backend sends counts only for variables that it sends first.
      occurrence: (variable, value, place) => {
        if (given.has(variable)) bindings.add(variable, { value, place, given: true });
      },
    });
    this.#steps = new StepUnifier(report, this.#matcher, this.#reader, { byRole: pairing === 'in order' });
  }

  run(): Mismatch[] {
    this.#exchanges = this.#alignment();
    const { pairs, missing, added } = this.#exchanges;
    for (const [a, b] of pairs) {
      const [expected, actual] = [this.#expected[a], this.#actual[b]];
      if (expected !== undefined && actual !== undefined)
        this.#payloads.set(a, this.#exchange(expected, actual));
    }
    for (const index of missing) this.#wholeExchange('missing', this.#expected[index], index + 1);
    for (const index of added) this.#wholeExchange('added', this.#actual[index], index + 1);
    return [...this.#mismatches, ...this.#bindings.mismatches()];
  }

  correspondence(): Correspondence {
    return { exchanges: this.#exchanges, payloads: this.#payloads, values: this.#bindings.values() };
  }

  /** Pairs exchanges by position or, if their numbers differ, by similarity. */
  #alignment(): Alignment {
    const [expected, actual] = [this.#expected, this.#actual];
    const inOrder = (_: unknown, index: number): [number, number] => [index, index];
    if (expected.length === actual.length) return { pairs: expected.map(inOrder), missing: [], added: [] };
    const { pairs, missing, added } = this.#pairing === 'in order' ? this.#byMethod() : this.#byLikeness();
    // Comparing two unlike exchanges says more than reporting one as missing and one as added.
    const both = Math.min(missing.length, added.length);
    const unlike = missing.slice(0, both).map((a, index): [number, number] => [a, added[index] ?? a]);
    return { pairs: [...pairs, ...unlike], missing: missing.slice(both), added: added.slice(both) };
  }

  #byLikeness(): Alignment {
    const [expected, actual] = [this.#expected, this.#actual];
    return align(
      expected.length,
      actual.length,
      (a, b) => this.#likeness(expected[a], actual[b]),
      maximumPairs,
    );
  }

  #byMethod(): Alignment {
    const left = Map.groupBy(this.#actual.keys(), (index) => this.#actual[index]?.request.method);
    const missing: number[] = [];
    const pairs = this.#expected.flatMap(({ request }, index): [number, number][] => {
      const next = left.get(request.method)?.shift();
      if (next === undefined) missing.push(index);
      return next === undefined ? [] : [[index, next]];
    });
    return { pairs, missing, added: [...left.values()].flat().sort((a, b) => a - b) };
  }

  #likeness(expected: SplitExchange | undefined, actual: SplitExchange | undefined): number {
    if (expected === undefined || actual === undefined) return 0;
    if (expected.request.method !== actual.request.method) return 0;
    const sent = ({ client }: SplitExchange): JsonNode => ({
      kind: 'array',
      items: client.slice(0, comparedMessages).map(({ content }) => contentNode(content)),
    });
    return this.#matcher.likeness(sent(expected), sent(actual));
  }

  #wholeExchange(kind: 'missing' | 'added', whole: SplitExchange | undefined, exchange: number): void {
    if (whole === undefined) return;
    const places: Place[] = [{ exchange, side: 'client', part: 'exchange', path: [] }];
    const value = requestValue(whole.request);
    this.#mismatches.push(
      kind === 'missing' ? { kind, places, expected: value } : { kind, places, actual: value },
    );
  }

  #exchange(expected: SplitExchange, actual: SplitExchange): PayloadAlignment {
    const { exchange } = expected.request;
    this.#handshake(expected, actual, exchange);
    if (expected.response !== undefined && actual.response !== undefined) {
      const head: Place = { exchange, side: 'backend', part: 'response', path: [] };
      this.#reader.fields(expected.response.headers, actual.response.headers, head);
    }
    const alignment = this.#steps.payloads(expected, actual, exchange);
    this.#mismatches.push(...endMismatches(expected, actual));
    return alignment;
  }

  #handshake(expected: SplitExchange, actual: SplitExchange, exchange: number): void {
    const place: Place = { exchange, side: 'client', part: 'handshake', path: [] };
    this.#compare(jsonString(expected.request.method), jsonString(actual.request.method), place, 'method');
    this.#compare(expected.request.target, actual.request.target, place, 'target');
    this.#version(expected, actual, place);
    this.#tls(expected, actual, place);
    // Those of the golden are what the official client sends over the version that was chosen here.
    const headersOf = isHttp2(actual) ? headersOverHttp2 : headersOverHttp1;
    const headers = replaceHost(headersOf(expected.request), [authorityMark], authority);
    // A proxy may connect to a relay and still name the official host, as RFC 9110, section 7.2, has it.
    const sent = replaceHost(
      headersOf(actual.request),
      [actual.connection.authority, this.#officialHost],
      authority,
    );
    this.#matcher.fields(
      headers,
      actual.request.unordered === true ? inCaseOf(headers, sent) : sent,
      place,
      expected.request.unordered !== true && actual.request.unordered !== true,
    );
  }

  /**
   * With TLS it is the server that chooses HTTP/2, from what the client offers: the offer is compared instead. What the client
   * chooses over HTTP/2 is comparable only if both use it.
   */
  #version(expected: SplitExchange, actual: SplitExchange, place: Place): void {
    const version = ({ request }: SplitExchange) => jsonString(request.version ?? '1.1');
    const areChosen = Boolean(expected.connection.tls) || Boolean(actual.connection.tls);
    if (isHttp2(expected) === isHttp2(actual) || !areChosen)
      this.#compare(version(expected), version(actual), place, 'HTTP version');
    const [left, right] = [expected.request.http2, actual.request.http2];
    if (left !== undefined && right !== undefined)
      this.#mismatches.push(...http2Mismatches(left, right, place));
  }

  #compare(expected: JsonNode, actual: JsonNode, place: Place, name: string): void {
    this.#matcher.node(expected, actual, { ...place, path: [name] });
  }

  /**
   * ALPN is comparable only if both connections use TLS, and are not imported. The rest of the handshake is that of the kind of
   * connection that was used: a client that uses the other kind by mistake has the same TLS library.
   */
  #tls(
    { connection: expected }: SplitExchange,
    { connection: actual, request }: SplitExchange,
    place: Place,
  ): void {
    const sent = actual.tls?.hello;
    const hello = this.#hellos?.[connectionKind(request)];
    if (hello !== undefined && sent !== undefined)
      this.#mismatches.push(...helloMismatches(hello, sent, place));
    if (!expected.tls || !actual.tls) return;
    const offer = ({ offered }: ConnectionTls) => jsonString(offered.join(', ') || 'none');
    this.#compare(offer(expected.tls), offer(actual.tls), place, 'ALPN offered');
  }
}

function isHttp2({ request }: SplitExchange): boolean {
  return request.version === '2';
}

/** The headers of a trace whose capitalisation is not known, with that of the golden. */
function inCaseOf(expected: readonly HeaderField[], actual: readonly HeaderField[]): HeaderField[] {
  const names = new Map(expected.map(([name]) => [name.toLowerCase(), name]));
  return actual.map(([name, value]) => [names.get(name.toLowerCase()) ?? name, value]);
}

/** Replaces the connection's own authority while headers are compared. No host has this name. */
const authority = '<authority of the connection>';
