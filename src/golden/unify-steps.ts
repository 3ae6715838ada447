import type { MessageEvent } from '../trace/event.ts';
import { align, likenessOfForm } from './align.ts';
import { contentNode, describe } from './content-node.ts';
import type { Spoken, Steps } from './conversation.ts';
import type { Matcher } from './match.ts';
import type { Place } from './mismatch.ts';
import { nextByType } from './next-by-type.ts';
import type { Notes } from './notes.ts';
import type { Found } from './occurrences.ts';

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

/** Two lists of steps with more pairs than this are not compared each with each, but window by window. */
export const maximumPairs = 4096;

/** Unifies what both sides say after a handshake. */
export class StepUnifier {
  readonly #notes: Notes;
  /** Matches what the client said. */
  readonly #matcher: Matcher;
  /** Reads what the backend said: for its values only. */
  readonly #reader: Matcher;
  readonly #shortcut: Shortcut;

  constructor(notes: Notes, matcher: Matcher, reader: Matcher, shortcut: Shortcut) {
    this.#notes = notes;
    this.#matcher = matcher;
    this.#reader = reader;
    this.#shortcut = shortcut;
  }

  /** What both begin with is done with as it comes; only from where they part on are steps looked for. */
  client(expected: Steps, actual: Steps, exchange: number): void {
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
      this.#notes.mismatch({
        kind,
        places: [part(exchange, step, at)],
        expected: kind === 'missing' ? text : null,
        actual: kind === 'added' ? text : null,
      });
    };
    for (const one of alignment.missing) tell('missing', expected.step(same + one), same + one);
    for (const other of alignment.added) tell('added', actual.step(same + other), same + other);
  }

  /** Each backend message of the golden is looked up, by its type, after the one before it. */
  backend(expected: Steps, actual: Steps, exchange: number): void {
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

  /** Whether two steps match at first sight; their values are then noted. */
  #quickly(expected: Steps, one: number, actual: Steps, other: number, fromBackend: boolean): boolean {
    const found = this.#shortcut(expected, one, actual, other);
    return found !== undefined && this.#notes.take(found, fromBackend);
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
      this.#notes.mismatch({
        kind: 'reframed',
        places: [place],
        expected: text(expected.complete),
        actual: text(actual.complete),
      });
    }
    const [wanted, found] = [expected.content, actual.content];
    if (wanted.kind !== found.kind) {
      const [mine, theirs] = [describe(expected), describe(actual)];
      this.#notes.mismatch({ kind: 'retyped', places: [place], expected: mine, actual: theirs });
      return;
    }
    if (wanted.kind === 'json' && found.kind === 'json' && wanted.spaced !== found.spaced) {
      const text = (spaced: boolean) => (spaced ? 'JSON with white space' : 'JSON without white space');
      this.#notes.mismatch({
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
      this.#notes.mismatch({
        kind: 'reframed',
        places: [place],
        expected: `${aspect}: ${wanted}`,
        actual: `${aspect}: ${found}`,
      });
    }
  }
}

function part(exchange: number, step: Spoken, at: number): Place {
  return { exchange, part: step.type === 'body' ? 'body' : `client message ${at + 1}`, path: [] };
}
