import type { Content, MessageEvent, ResponseEvent } from '../trace/event.ts';
import { type JsonNode, jsonString, stringAt, toNode } from '../wire/json.ts';
import type { Side } from '../wire/message.ts';
import { type Alignment, align, likenessOfForm } from './align.ts';
import type { Exchange, Step } from './dialogue.ts';
import { endMismatches } from './ends.ts';
import type { Golden } from './golden.ts';
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
  return new Unification(golden).run(actual);
}

class Unification {
  readonly #golden: Golden;
  readonly #mismatches: Mismatch[] = [];
  readonly #occurrences: Occurrences;
  readonly #matcher: Matcher;
  /** Matches what the backend said: values only. */
  readonly #reader: Matcher;

  constructor(golden: Golden) {
    this.#golden = golden;
    this.#occurrences = new Occurrences(golden.variables, firstEvents(golden.exchanges));
    const given = givenByBackend(golden.exchanges);
    this.#matcher = new Matcher(golden.variables, {
      mismatch: (mismatch) => this.#mismatches.push(mismatch),
      occurrence: (variable, value, place) => this.#occurrences.add(variable, value, place, false),
    });
    this.#reader = new Matcher(golden.variables, {
      mismatch: () => {},
      occurrence: (variable, value, place) => {
        if (given.has(variable)) this.#occurrences.add(variable, value, place, true);
      },
    });
  }

  run(actual: readonly Exchange[]): Mismatch[] {
    const { exchanges } = this.#golden;
    const { pairs, missing, added } = this.#correspondence(exchanges, actual);
    for (const [one, other] of pairs) {
      const [expected, found] = [exchanges[one], actual[other]];
      if (expected !== undefined && found !== undefined) this.#exchange(expected, found);
    }
    for (const at of missing) this.#wholeExchange('missing', exchanges[at], at + 1);
    for (const at of added) this.#wholeExchange('added', actual[at], at + 1);
    return [...this.#mismatches, ...this.#occurrences.mismatches()];
  }

  /** Exchanges correspond by position; where there are too many or too few, by what they are like. */
  #correspondence(expected: readonly Exchange[], actual: readonly Exchange[]): Alignment {
    if (expected.length === actual.length) {
      return { pairs: expected.map((_, at): [number, number] => [at, at]), missing: [], added: [] };
    }
    const { pairs, missing, added } = align(expected.length, actual.length, (one, other) =>
      this.#likenessOfExchanges(expected[one], actual[other]),
    );
    // What is like nothing is still better compared with what is left than told twice.
    const both = Math.min(missing.length, added.length);
    const further = missing.slice(0, both).map((one, at): [number, number] => [one, added[at] ?? one]);
    return { pairs: [...pairs, ...further], missing: missing.slice(both), added: added.slice(both) };
  }

  #likenessOfExchanges(expected: Exchange | undefined, actual: Exchange | undefined): number {
    if (expected === undefined || actual === undefined) return 0;
    if (expected.request.method !== actual.request.method) return 0;
    const said = ({ steps }: Exchange): JsonNode => ({
      kind: 'array',
      items: steps.flatMap((step) =>
        step.type !== 'response' && step.from === 'client' ? [contentNode(step.content)] : [],
      ),
    });
    return this.#matcher.likeness(said(expected), said(actual));
  }

  #wholeExchange(kind: 'missing' | 'added', whole: Exchange | undefined, exchange: number): void {
    if (whole === undefined) return;
    const { request } = whole;
    const text = `${request.method} ${request.target.kind === 'string' ? request.target.value : ''}`;
    this.#mismatches.push({
      kind,
      places: [{ exchange, part: 'request', path: [] }],
      expected: kind === 'missing' ? text : null,
      actual: kind === 'added' ? text : null,
    });
  }

  #exchange(expected: Exchange, actual: Exchange): void {
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
    this.#backendSteps(expected.steps, actual.steps, exchange);
    this.#clientSteps(expected.steps, actual.steps, exchange);
    this.#mismatches.push(...endMismatches(expected, actual));
  }

  #compare(expected: JsonNode, actual: JsonNode, place: Place, name: string): void {
    this.#matcher.node(expected, actual, { ...place, path: [name] });
  }

  /** ALPN can only be compared where both connections were made over TLS. */
  #alpn({ connection: expected }: Exchange, { connection: actual }: Exchange, place: Place): void {
    if (expected.tls === null || actual.tls === null) return;
    this.#compare(toNode(expected.tls.offered), toNode(actual.tls.offered), place, 'ALPN offered');
  }

  #clientSteps(expectedSteps: readonly Step[], actualSteps: readonly Step[], exchange: number): void {
    const expected = expectedSteps.filter((step) => isFrom(step, 'client'));
    const actual = actualSteps.filter((step) => isFrom(step, 'client'));
    const alignment = align(expected.length, actual.length, (one, other) =>
      this.#likeness(expected[one], actual[other]),
    );
    for (const [one, other] of alignment.pairs) {
      const [wanted, found] = [expected[one], actual[other]];
      if (wanted !== undefined && found !== undefined) this.#step(wanted, found, part(exchange, wanted, one));
    }
    const tell = (kind: 'missing' | 'added', step: Step | undefined, at: number) => {
      if (step === undefined) return;
      const text = describe(step);
      this.#mismatches.push({
        kind,
        places: [part(exchange, step, at)],
        expected: kind === 'missing' ? text : null,
        actual: kind === 'added' ? text : null,
      });
    };
    for (const one of alignment.missing) tell('missing', expected[one], one);
    for (const other of alignment.added) tell('added', actual[other], other);
  }

  #likeness(expected: Step | undefined, actual: Step | undefined): number {
    if (expected === undefined || actual === undefined || expected.type !== actual.type) return 0;
    if (expected.type === 'response' || actual.type === 'response') return 0;
    const [one, other] = [contentNode(expected.content), contentNode(actual.content)];
    const form = expected.content.kind === actual.content.kind ? likenessOfForm(one, other) : 0;
    return Math.max(form, this.#matcher.likeness(one, other));
  }

  #step(expected: Step, actual: Step, place: Place): void {
    if (expected.type === 'message' && actual.type === 'message') this.#framing(expected, actual, place);
    if (expected.type === 'body' && actual.type === 'body' && expected.complete !== actual.complete) {
      const text = (complete: boolean) => (complete ? 'a whole body' : 'a body that was cut off');
      this.#mismatches.push({
        kind: 'reframed',
        places: [place],
        expected: text(expected.complete),
        actual: text(actual.complete),
      });
    }
    if (expected.type === 'response' || actual.type === 'response') return;
    const [wanted, found] = [expected.content, actual.content];
    if (wanted.kind !== found.kind) {
      const [mine, theirs] = [describe(expected), describe(actual)];
      this.#mismatches.push({ kind: 'retyped', places: [place], expected: mine, actual: theirs });
      return;
    }
    if (wanted.kind === 'json' && found.kind === 'json' && wanted.spaced !== found.spaced) {
      const text = (spaced: boolean) => (spaced ? 'JSON with white space' : 'JSON without white space');
      this.#mismatches.push({
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
      this.#mismatches.push({
        kind: 'reframed',
        places: [place],
        expected: `${aspect}: ${wanted}`,
        actual: `${aspect}: ${found}`,
      });
    }
  }

  /** Each backend message of the golden is looked up, by its type, after the one before it. */
  #backendSteps(expectedSteps: readonly Step[], actualSteps: readonly Step[], exchange: number): void {
    const [expectedHead, actualHead] = [expectedSteps.find(isResponse), actualSteps.find(isResponse)];
    if (expectedHead !== undefined && actualHead !== undefined) {
      const place = { exchange, part: 'backend response', path: [] };
      this.#reader.fields(expectedHead.headers, actualHead.headers, place);
    }
    const actual = actualSteps.filter((step) => isFrom(step, 'backend'));
    let from = 0;
    for (const expected of expectedSteps.filter((step) => isFrom(step, 'backend'))) {
      const type = eventType(expected);
      const at = actual.findIndex((step, index) => index >= from && eventType(step) === type);
      const found = actual[at];
      if (found === undefined || expected.type === 'response' || found.type === 'response') continue;
      from = at + 1;
      const place = { exchange, part: `backend ${type ?? 'message'}`, path: [] };
      this.#reader.node(contentNode(expected.content), contentNode(found.content), place);
    }
  }
}

/** What stands for the connection's own authority while headers are compared; no host can be called so. */
const authority = '<the host connected to>';

function isResponse(step: Step): step is ResponseEvent {
  return step.type === 'response';
}

function isFrom(step: Step, side: Side): boolean {
  return step.type !== 'response' && step.from === side;
}

function eventType(step: Step): string | undefined {
  return step.type === 'message' && step.content.kind === 'json'
    ? stringAt(step.content.json, 'type')
    : undefined;
}

function part(exchange: number, step: Step, at: number): Place {
  return { exchange, part: step.type === 'body' ? 'body' : `client message ${at + 1}`, path: [] };
}

function describe(step: Step): string {
  if (step.type === 'response') return `response ${step.status}`;
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
