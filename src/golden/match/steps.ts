import { align, likenessOfForm } from './align.ts';
import { contentNode } from './content-node.ts';
import type { Matcher } from './matcher.ts';
import { contentValue, type Mismatch, type Place } from './mismatch.ts';
import { messageType, type Payload } from './split-exchange.ts';

/** Two lists of steps with more pairs than this are not compared each with each, but window by window. */
export const maximumPairs = 4096;

/** Unifies the payloads of both sides after a handshake. */
export class StepUnifier {
  readonly #report: (mismatch: Mismatch) => void;
  /** Matches what the client sent. */
  readonly #matcher: Matcher;
  /** Reads what the backend sent: for its values only. */
  readonly #reader: Matcher;

  constructor(report: (mismatch: Mismatch) => void, matcher: Matcher, reader: Matcher) {
    this.#report = report;
    this.#matcher = matcher;
    this.#reader = reader;
  }

  client(expected: readonly Payload[], actual: readonly Payload[], exchange: number): void {
    const { pairs, missing, added } = align(
      expected.length,
      actual.length,
      (one, other) => this.#likeness(itemAt(expected, one), itemAt(actual, other)),
      maximumPairs,
    );
    for (const [one, other] of pairs) this.#step(itemAt(expected, one), itemAt(actual, other), exchange, one);
    for (const at of missing) {
      const payload = itemAt(expected, at);
      const places = [placeOf(exchange, payload, at)];
      this.#report({ kind: 'missing', places, expected: contentValue(payload.content) });
    }
    for (const at of added) {
      const payload = itemAt(actual, at);
      const places = [placeOf(exchange, payload, at)];
      this.#report({ kind: 'added', places, actual: contentValue(payload.content) });
    }
  }

  /** Each backend message of the golden is looked up, by its type, after the one before it. */
  backend(expected: readonly Payload[], actual: readonly Payload[], exchange: number): void {
    const positions = new Map<string | undefined, number[]>();
    for (const [at, payload] of actual.entries()) {
      const type = messageType(payload);
      const known = positions.get(type);
      if (known === undefined) positions.set(type, [at]);
      else known.push(at);
    }
    let from = 0;
    for (const wanted of expected) {
      const type = messageType(wanted);
      const queue = positions.get(type) ?? [];
      while (queue.length > 0 && (queue[0] ?? 0) < from) queue.shift();
      const found = queue.shift();
      if (found === undefined) continue;
      from = found + 1;
      const place: Place = {
        exchange,
        side: 'backend',
        part: 'message',
        number: found + 1,
        ...(type === undefined ? {} : { type }),
        path: [],
      };
      this.#reader.node(contentNode(wanted.content), contentNode(itemAt(actual, found).content), place);
    }
  }

  #likeness(wanted: Payload, found: Payload): number {
    if (wanted.type !== found.type) return 0;
    const [mine, theirs] = [contentNode(wanted.content), contentNode(found.content)];
    const form = wanted.content.kind === found.content.kind ? likenessOfForm(mine, theirs) : 0;
    return Math.max(form, this.#matcher.likeness(mine, theirs));
  }

  #step(expected: Payload, actual: Payload, exchange: number, at: number): void {
    const places = [placeOf(exchange, expected, at)];
    for (const [aspect, wanted, found] of framing(expected, actual)) {
      if (wanted !== found)
        this.#report({ kind: 'reframed', places, aspect, expected: wanted, actual: found });
    }
    const [wanted, found] = [expected.content, actual.content];
    if (wanted.kind !== found.kind) {
      this.#report({
        kind: 'retyped',
        places,
        expected: contentValue(wanted),
        actual: contentValue(found),
      });
      return;
    }
    if (wanted.kind === 'json' && found.kind === 'json' && wanted.spaced !== found.spaced) {
      this.#report({
        kind: 'respelled',
        places,
        spelling: 'white space',
        expected: wanted.spaced,
        actual: found.spaced,
      });
    }
    this.#matcher.node(contentNode(wanted), contentNode(found), placeOf(exchange, expected, at));
  }
}

/** The aspects of framing of two payloads, each with its two values. */
function framing(expected: Payload, actual: Payload) {
  if (expected.type === 'message' && actual.type === 'message') {
    return (['opcode', 'compressed', 'fragments'] as const).map(
      (aspect) => [aspect, expected[aspect], actual[aspect]] as const,
    );
  }
  if (expected.type === 'body' && actual.type === 'body')
    return [['complete', expected.complete, actual.complete] as const];
  return [];
}

function placeOf(exchange: number, { type }: Payload, at: number): Place {
  return type === 'body'
    ? { exchange, side: 'client', part: 'body', path: [] }
    : { exchange, side: 'client', part: 'message', number: at + 1, path: [] };
}

function itemAt<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new RangeError(`index ${index} of ${list.length}`);
  return item;
}
