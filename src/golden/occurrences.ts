import type { Variable } from './golden.ts';
import { kinds } from './kinds.ts';
import { type Mismatch, type Place, placeText } from './mismatch.ts';

type Occurrence = { readonly place: Place; readonly value: string; readonly given: boolean };

/**
 * The values met at the places of each variable. They are judged together once all are known, so that one place
 * that disagrees with five is named, and not the five.
 */
export class Occurrences {
  readonly #variables: ReadonlyMap<string, Variable>;
  readonly #found = new Map<string, Occurrence[]>();

  constructor(variables: ReadonlyMap<string, Variable>) {
    this.#variables = variables;
  }

  /** `given`: the backend was the first to say it, so it is right wherever the client disagrees. */
  add(variable: string, value: string, place: Place, given: boolean): void {
    const found = this.#found.get(variable) ?? [];
    found.push({ place, value, given });
    this.#found.set(variable, found);
  }

  mismatches(): Mismatch[] {
    const bindings = new Map<string, Occurrence>();
    const mismatches: Mismatch[] = [];
    for (const [name, found] of this.#found) {
      const variable = this.#variables.get(name);
      const right = binding(found);
      if (variable === undefined || right === undefined) continue;
      bindings.set(name, right);
      // What the backend gave may be of any kind: it is the client that is judged.
      if (!right.given && !kinds[variable.kind].takes(right.value)) {
        mismatches.push({
          kind: 'retyped',
          places: found.filter(({ value }) => value === right.value).map(({ place }) => place),
          expected: `${name}: ${kinds[variable.kind].means}`,
          actual: right.value,
          variable: name,
        });
      }
      for (const value of new Set(found.map((one) => one.value))) {
        if (value === right.value) continue;
        const apart = found.filter((one) => one.value === value);
        const agreeing = found.filter((one) => one.value === right.value);
        // Of as many against as many, either may be the wrong ones.
        const undecided = !right.given && apart.length === agreeing.length;
        mismatches.push({
          kind: 'disagrees',
          places: (undecided ? [...apart, ...agreeing] : apart).map(({ place }) => place),
          expected: `${name}, which is ${right.value} at ${placeText(right.place)}`,
          actual: this.#described(value, name),
          variable: name,
        });
      }
    }
    return [...mismatches, ...this.#repeated(bindings)];
  }

  /** Says so where a wrong value is the value of another variable. */
  #described(value: string, name: string): string {
    for (const [other, found] of this.#found) {
      const known = this.#variables.get(other)?.group !== undefined && binding(found)?.value === value;
      if (other !== name && known) return `${value}, which is ${other}`;
    }
    return value;
  }

  #repeated(bindings: ReadonlyMap<string, Occurrence>): Mismatch[] {
    const mismatches: Mismatch[] = [];
    const seen = new Map<string, string>();
    for (const [name, { value, given }] of bindings) {
      if (given) continue;
      const group = this.#variables.get(name)?.group;
      if (group === undefined) continue;
      const other = seen.get(`${group} ${value}`);
      if (other === undefined) {
        seen.set(`${group} ${value}`, name);
        continue;
      }
      mismatches.push({
        kind: 'repeated',
        places: (this.#found.get(name) ?? []).filter((one) => one.value === value).map(({ place }) => place),
        expected: `a value of its own: in every recording ${name} differs from ${other}`,
        actual: value,
        variable: name,
      });
    }
    return mismatches;
  }
}

/** The value a variable is bound to: what the backend gave, else the commonest, of equals the first. */
function binding(found: readonly Occurrence[]): Occurrence | undefined {
  const given = found.find((one) => one.given);
  if (given !== undefined) return given;
  let best: Occurrence | undefined;
  let most = 0;
  for (const one of found) {
    const count = found.filter(({ value }) => value === one.value).length;
    if (count > most) [best, most] = [one, count];
  }
  return best;
}
