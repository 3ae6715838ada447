import { jsonString } from '../../wire/json.ts';
import type { Variable } from '../golden.ts';
import { baseName } from '../learn/lifetimes.ts';
import { kinds } from '../pattern/kinds.ts';
import { jsonValue, type Mismatch, type Place } from './mismatch.ts';

/** A value in the place of a variable; `given` when the backend sent it before the client did. */
export type Occurrence = { readonly place: Place; readonly value: string; readonly given: boolean };
/** What a variable is bound to; `given` is right wherever the client disagrees. */
type Binding = { readonly value: string; readonly given: boolean };

/**
 * The values met at the places of each variable. They are judged together once all are known, so that one place
 * that disagrees with five is named, and not the five.
 */
export class Bindings {
  readonly #variables: ReadonlyMap<string, Variable>;
  readonly #firstEvents: ReadonlyMap<string, number>;
  readonly #occurrences = new Map<string, Occurrence[]>();

  /** `firstEvents`: by variable, the index of the golden's event that it first appears in. */
  constructor(variables: ReadonlyMap<string, Variable>, firstEvents: ReadonlyMap<string, number>) {
    this.#variables = variables;
    this.#firstEvents = firstEvents;
  }

  add(variable: string, occurrence: Occurrence): void {
    if (!this.#variables.has(variable)) return;
    const known = this.#occurrences.get(variable);
    if (known === undefined) this.#occurrences.set(variable, [occurrence]);
    else known.push(occurrence);
  }

  mismatches(): Mismatch[] {
    const bindings = new Map([...this.#occurrences].map(([name, all]) => [name, binding(all)]));
    const owners = this.#owners(bindings);
    const mismatches: Mismatch[] = [];
    for (const [name, right] of bindings) {
      const occurrences = this.#occurrences.get(name) ?? [];
      const places = byValue(occurrences);
      const agreeing = places.get(right.value) ?? [];
      const first = occurrences.find(({ value, given }) => value === right.value && given === right.given);
      const variable = this.#variables.get(name);
      if (variable !== undefined && !right.given && !kinds[variable.kind].accepts(right.value)) {
        mismatches.push({
          kind: 'retyped',
          places: agreeing,
          expected: { type: 'variable', variable: name, variableKind: variable.kind },
          actual: jsonValue(jsonString(right.value)),
        });
      }
      for (const value of places.keys()) {
        if (value === right.value || first === undefined) continue;
        const apart = places.get(value) ?? [];
        // Of as many against as many, either may be the wrong ones.
        const undecided = !right.given && apart.length === agreeing.length;
        const owner = owners.get(value)?.find((one) => one.name !== name);
        mismatches.push({
          kind: 'disagrees',
          places: undecided ? [...apart, ...agreeing] : apart,
          variable: name,
          value: right.value,
          valueAt: first.place,
          valueHere: value,
          ...(owner === undefined ? {} : { variableHere: owner.name }),
          ...outlived(variable, owner),
        });
      }
    }
    const repeated = [...this.#repetitions(bindings)].map(
      ([name, { value, other }]): Mismatch => ({
        kind: 'repeated',
        places: byValue(this.#occurrences.get(name) ?? []).get(value) ?? [],
        variable: name,
        value,
        otherVariable: other.name,
        ...outlived(this.#variables.get(name), other),
      }),
    );
    return [...mismatches, ...repeated];
  }

  /** The variables of groups by the values they are bound to, in the order they were first met. */
  #owners(bindings: ReadonlyMap<string, Binding>): Map<string, Variable[]> {
    const owners = new Map<string, Variable[]>();
    for (const [name, { value }] of bindings) {
      const variable = this.#variables.get(name);
      if (variable?.group === undefined) continue;
      const others = owners.get(value);
      if (others === undefined) owners.set(value, [variable]);
      else others.push(variable);
    }
    return owners;
  }

  /** The variables that have the value of another one of their group, with that one. */
  #repetitions(bindings: ReadonlyMap<string, Binding>): Map<string, { value: string; other: Variable }> {
    const repetitions = new Map<string, { value: string; other: Variable }>();
    const holders = new Map<string, Variable[]>();
    for (const [name, { value, given }] of bindings) {
      const variable = this.#variables.get(name);
      if (given || variable?.group === undefined) continue;
      const key = JSON.stringify([variable.group, value]);
      const earlier = holders.get(key) ?? [];
      holders.set(key, [...earlier, variable]);
      const other = earlier.find((holder) => !this.#mayAgree(variable, holder));
      if (other !== undefined) repetitions.set(name, { value, other });
    }
    return repetitions;
  }

  /** Two clocks that are read for one event. */
  #mayAgree(one: Variable, other: Variable): boolean {
    const together = this.#firstEvents.get(one.name) === this.#firstEvents.get(other.name);
    return kinds[one.kind].isClock === true && together;
  }
}

/** The lifetime that a wrong value went past: `other` is the variable whose value it is. */
function outlived(variable: Variable | undefined, other: Variable | undefined): Pick<Mismatch, 'lifetime'> {
  if (variable?.lifetime === undefined) return {};
  const { name, lifetime } = variable;
  const earlier = other !== undefined && baseName(other.name) === baseName(name);
  return lifetime === 'session' || earlier ? { lifetime } : {};
}

/** What the backend gave first, else the commonest value, of equals the first. */
function binding(occurrences: readonly Occurrence[]): Binding {
  const given = occurrences.find((occurrence) => occurrence.given);
  if (given !== undefined) return { value: given.value, given: true };
  let best: readonly [value: string, places: number] = ['', 0];
  for (const [value, places] of byValue(occurrences))
    if (places.length > best[1]) best = [value, places.length];
  return { value: best[0], given: false };
}

function byValue(occurrences: readonly Occurrence[]): Map<string, Place[]> {
  const places = new Map<string, Place[]>();
  for (const { value, place } of occurrences) {
    const known = places.get(value);
    if (known === undefined) places.set(value, [place]);
    else known.push(place);
  }
  return places;
}
