import type { Variable } from './golden.ts';
import type { Mismatch, Place } from './mismatch.ts';
import { type Found, Occurrences } from './occurrences.ts';

/** What is known of the variables of a golden. */
export type Known = {
  readonly variables: ReadonlyMap<string, Variable>;
  /** Those that the backend says first. */
  readonly given: ReadonlySet<string>;
  /** By variable, the number of the event it stands in first. */
  readonly firstEvents: ReadonlyMap<string, number>;
};

/**
 * What is noted of a trace that is read beside its golden: mismatches, and the values of variables. Where something is
 * wrong with values it is read a second time, for the places of those.
 */
export class Notes {
  readonly #given: ReadonlySet<string>;
  readonly #mismatches: Mismatch[] = [];
  readonly #occurrences: Occurrences;
  /** The variables whose places are noted; undefined in the first reading, in which mismatches are. */
  #suspects: ReadonlySet<string> | undefined;

  constructor({ variables, given, firstEvents }: Known) {
    this.#given = given;
    this.#occurrences = new Occurrences(variables, firstEvents);
  }

  /** All that is wrong; `read` goes over the trace once, and notes it here. */
  from(read: () => void): Mismatch[] {
    read();
    const suspects = this.#occurrences.suspects();
    if (suspects.size > 0) {
      this.#suspects = suspects;
      read();
    }
    return [...this.#mismatches, ...this.#occurrences.mismatches()];
  }

  mismatch(mismatch: Mismatch): void {
    if (this.#suspects === undefined) this.#mismatches.push(mismatch);
  }

  /** A value at a place. What the backend says counts only of variables that it says first. */
  occurrence(variable: string, value: string, place: Place, fromBackend: boolean): void {
    if (fromBackend && !this.#given.has(variable)) return;
    if (this.#suspects === undefined) this.#occurrences.add(variable, value, fromBackend);
    else if (this.#suspects.has(variable)) this.#occurrences.locate(variable, value, place, fromBackend);
  }

  /** Takes values whose places are not known; false where a place must be, and then takes none. */
  take(found: readonly Found[], fromBackend: boolean): boolean {
    const suspects = this.#suspects;
    if (suspects !== undefined) return found.every(({ variable }) => !suspects.has(variable));
    for (const { variable, value } of found) {
      if (!fromBackend || this.#given.has(variable)) this.#occurrences.add(variable, value, fromBackend);
    }
    return true;
  }
}
