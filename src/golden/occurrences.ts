import type { Variable } from './golden.ts';
import { kinds } from './kinds.ts';
import { familyOf } from './lifetimes.ts';
import { type Mismatch, type Place, placeText } from './mismatch.ts';

type Occurrence = { readonly place: Place; readonly value: string; readonly given: boolean };

/**
 * The values met at the places of each variable. They are judged together once all are known, so that one place
 * that disagrees with five is named, and not the five.
 */
export class Occurrences {
  readonly #variables: ReadonlyMap<string, Variable>;
  readonly #firstEvents: ReadonlyMap<string, number>;
  readonly #found = new Map<string, Occurrence[]>();

  /** `firstEvents`: by variable, the number of the golden's event that it stands in first. */
  constructor(variables: ReadonlyMap<string, Variable>, firstEvents: ReadonlyMap<string, number>) {
    this.#variables = variables;
    this.#firstEvents = firstEvents;
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
          ...outlived(variable, this.#ownerOf(value, name)),
        });
      }
    }
    return [...mismatches, ...this.#repeated(bindings)];
  }

  /** Says so where a wrong value is the value of another variable. */
  #described(value: string, name: string): string {
    const owner = this.#ownerOf(value, name);
    return owner === undefined ? value : `${value}, which is ${owner.name}`;
  }

  /** Another variable whose value it is. */
  #ownerOf(value: string, name: string): Variable | undefined {
    for (const [other, found] of this.#found) {
      const variable = this.#variables.get(other);
      const known = variable?.group !== undefined && binding(found)?.value === value;
      if (other !== name && known) return variable;
    }
    return undefined;
  }

  #repeated(bindings: ReadonlyMap<string, Occurrence>): Mismatch[] {
    const mismatches: Mismatch[] = [];
    const seen = new Map<string, Variable[]>();
    for (const [name, { value, given }] of bindings) {
      const variable = this.#variables.get(name);
      if (given || variable?.group === undefined) continue;
      const holders = seen.get(`${variable.group} ${value}`) ?? [];
      seen.set(`${variable.group} ${value}`, [...holders, variable]);
      const other = holders.find((holder) => !this.#mayAgree(variable, holder));
      if (other === undefined) continue;
      mismatches.push({
        kind: 'repeated',
        places: (this.#found.get(name) ?? []).filter((one) => one.value === value).map(({ place }) => place),
        expected: `a value of its own: in every recording ${name} differs from ${other.name}`,
        actual: value,
        variable: name,
        ...outlived(variable, other),
      });
    }
    return mismatches;
  }

  /** Two clocks that are read for one event. */
  #mayAgree(one: Variable, other: Variable): boolean {
    const together = this.#firstEvents.get(one.name) === this.#firstEvents.get(other.name);
    return kinds[one.kind].clock === true && together;
  }
}

/** The lifetime that a wrong value went past: `other` is the variable whose value it is. */
function outlived(variable: Variable, other: Variable | undefined): Pick<Mismatch, 'lifetime'> {
  const { name, lifetime } = variable;
  if (lifetime === undefined) return {};
  const earlier = other !== undefined && familyOf(other.name) === familyOf(name);
  return lifetime === 'session' || earlier ? { lifetime } : {};
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
