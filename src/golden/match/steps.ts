import type { MessageEvent } from '../../trace/trace-event.ts';
import { align, likenessOfForm } from './align.ts';
import { contentNode, describe } from './content-node.ts';
import type { Matcher } from './matcher.ts';
import type { Mismatch, Place } from './mismatch.ts';
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
    const tell = (kind: 'missing' | 'added', step: Payload, at: number) => {
      const text = describe(step);
      this.#report({
        kind,
        places: [part(exchange, step, at)],
        expected: kind === 'missing' ? text : null,
        actual: kind === 'added' ? text : null,
      });
    };
    for (const at of missing) tell('missing', itemAt(expected, at), at);
    for (const at of added) tell('added', itemAt(actual, at), at);
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
      const place = { exchange, part: `backend ${type ?? 'message'}`, path: [] };
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
    const place = part(exchange, expected, at);
    if (expected.type === 'message' && actual.type === 'message') this.#framing(expected, actual, place);
    if (expected.type === 'body' && actual.type === 'body' && expected.complete !== actual.complete) {
      const text = (complete: boolean) => (complete ? 'a whole body' : 'a body that was cut off');
      this.#report({
        kind: 'reframed',
        places: [place],
        expected: text(expected.complete),
        actual: text(actual.complete),
      });
    }
    const [wanted, found] = [expected.content, actual.content];
    if (wanted.kind !== found.kind) {
      const [mine, theirs] = [describe(expected), describe(actual)];
      this.#report({ kind: 'retyped', places: [place], expected: mine, actual: theirs });
      return;
    }
    if (wanted.kind === 'json' && found.kind === 'json' && wanted.spaced !== found.spaced) {
      const text = (spaced: boolean) => (spaced ? 'JSON with white space' : 'JSON without white space');
      this.#report({
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
      this.#report({
        kind: 'reframed',
        places: [place],
        expected: `${aspect}: ${wanted}`,
        actual: `${aspect}: ${found}`,
      });
    }
  }
}

function part(exchange: number, step: Payload, at: number): Place {
  return { exchange, part: step.type === 'body' ? 'body' : `client message ${at + 1}`, path: [] };
}

function itemAt<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new RangeError(`index ${index} of ${list.length}`);
  return item;
}
