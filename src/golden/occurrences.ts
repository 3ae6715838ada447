import type { Variable } from './golden.ts';
import { kinds } from './kinds.ts';
import { familyOf } from './lifetimes.ts';
import { type Mismatch, type Place, placeText } from './mismatch.ts';

/** A variable, by its name, with a value that stands in its place. */
export type Found = { readonly variable: string; readonly value: string };

/** How often a variable was met with each value. */
type Tally = {
  readonly first: string;
  count: number;
  /** The other values, in the order of their first appearance: there are none unless something is wrong. */
  others: Map<string, number> | undefined;
  /** The first value that the backend said before the client did. */
  given: string | undefined;
};
type Occurrence = { readonly place: Place; readonly value: string; readonly given: boolean };
/** What a variable is bound to; `given` is right wherever the client disagrees. */
type Binding = { readonly value: string; readonly given: boolean };

/**
 * The values met at the places of each variable. They are judged together once all are known, so that one place
 * that disagrees with five is named, and not the five. What is held grows with the values that a variable has, which is
 * one, and not with its places: those of the variables that something is wrong with are collected in a second reading.
 */
export class Occurrences {
  readonly #variables: ReadonlyMap<string, Variable>;
  readonly #firstEvents: ReadonlyMap<string, number>;
  readonly #tallies = new Map<string, Tally>();
  readonly #places = new Map<string, Occurrence[]>();

  /** `firstEvents`: by variable, the number of the golden's event that it stands in first. */
  constructor(variables: ReadonlyMap<string, Variable>, firstEvents: ReadonlyMap<string, number>) {
    this.#variables = variables;
    this.#firstEvents = firstEvents;
  }

  /** `given`: the backend was the first to say it. */
  add(variable: string, value: string, given: boolean): void {
    const tally = this.#tallies.get(variable);
    if (tally === undefined) {
      const none = undefined;
      this.#tallies.set(variable, { first: value, count: 1, others: none, given: given ? value : none });
      return;
    }
    if (tally.first === value) tally.count += 1;
    else {
      tally.others ??= new Map();
      tally.others.set(value, (tally.others.get(value) ?? 0) + 1);
    }
    if (given) tally.given ??= value;
  }

  /** Notes where a value stands, of a variable that `suspects` names. */
  locate(variable: string, value: string, place: Place, given: boolean): void {
    const places = this.#places.get(variable);
    if (places === undefined) this.#places.set(variable, [{ place, value, given }]);
    else places.push({ place, value, given });
  }

  /** The variables whose places must be known to say what is wrong with them. */
  suspects(): ReadonlySet<string> {
    const suspects = new Set(this.#repetitions().keys());
    for (const [name, tally] of this.#tallies) {
      if (!this.#variables.has(name)) continue;
      if (tally.others !== undefined || this.#isMisshapen(name, binding(tally))) suspects.add(name);
    }
    return suspects;
  }

  /** What is wrong, once the places of all suspects are noted. */
  mismatches(): Mismatch[] {
    if (this.#places.size === 0) return [];
    const owners = this.#owners();
    const mismatches: Mismatch[] = [];
    for (const [name, tally] of this.#tallies) {
      const occurrences = this.#places.get(name);
      if (occurrences === undefined) continue;
      const right = binding(tally);
      const places = byValue(occurrences);
      const agreeing = places.get(right.value) ?? [];
      const first = occurrences.find(({ value, given }) => value === right.value && given === right.given);
      if (this.#isMisshapen(name, right)) {
        mismatches.push({
          kind: 'retyped',
          places: agreeing,
          expected: `${name}: ${meaning(this.#variables.get(name))}`,
          actual: right.value,
          variable: name,
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
          expected: `${name}, which is ${right.value} at ${placeText(first.place)}`,
          // Says so where a wrong value is the value of another variable.
          actual: owner === undefined ? value : `${value}, which is ${owner.name}`,
          variable: name,
          ...outlived(this.#variables.get(name), owner),
        });
      }
    }
    const repeated = [...this.#repetitions()].map(([name, { value, other }]): Mismatch => {
      const places = byValue(this.#places.get(name) ?? []);
      return {
        kind: 'repeated',
        places: places.get(value) ?? [],
        expected: `a value of its own: in every recording ${name} differs from ${other.name}`,
        actual: value,
        variable: name,
        ...outlived(this.#variables.get(name), other),
      };
    });
    return [...mismatches, ...repeated];
  }

  /** What the backend gave may be of any kind: it is the client that is judged. */
  #isMisshapen(name: string, { value, given }: Binding): boolean {
    const variable = this.#variables.get(name);
    return !given && variable !== undefined && !kinds[variable.kind].takes(value);
  }

  /** The variables of groups by the values they are bound to, in the order they were first met. */
  #owners(): Map<string, Variable[]> {
    const owners = new Map<string, Variable[]>();
    for (const [name, tally] of this.#tallies) {
      const variable = this.#variables.get(name);
      if (variable?.group === undefined) continue;
      const { value } = binding(tally);
      const others = owners.get(value);
      if (others === undefined) owners.set(value, [variable]);
      else others.push(variable);
    }
    return owners;
  }

  /** The variables that have the value of another one of their group, with that one. */
  #repetitions(): Map<string, { value: string; other: Variable }> {
    const repetitions = new Map<string, { value: string; other: Variable }>();
    const groups = new Map<string, Map<string, Variable | Variable[]>>();
    for (const [name, tally] of this.#tallies) {
      const variable = this.#variables.get(name);
      const { value, given } = binding(tally);
      if (given || variable?.group === undefined) continue;
      const group = groups.get(variable.group) ?? new Map<string, Variable | Variable[]>();
      groups.set(variable.group, group);
      const held = group.get(value);
      const holders = held === undefined ? [] : Array.isArray(held) ? held : [held];
      // One value has one holder as a rule, and of those there are many.
      group.set(value, held === undefined ? variable : [...holders, variable]);
      const other = holders.find((holder) => !this.#mayAgree(variable, holder));
      if (other !== undefined) repetitions.set(name, { value, other });
    }
    return repetitions;
  }

  /** Two clocks that are read for one event. */
  #mayAgree(one: Variable, other: Variable): boolean {
    const together = this.#firstEvents.get(one.name) === this.#firstEvents.get(other.name);
    return kinds[one.kind].clock === true && together;
  }
}

/** The lifetime that a wrong value went past: `other` is the variable whose value it is. */
function outlived(variable: Variable | undefined, other: Variable | undefined): Pick<Mismatch, 'lifetime'> {
  if (variable?.lifetime === undefined) return {};
  const { name, lifetime } = variable;
  const earlier = other !== undefined && familyOf(other.name) === familyOf(name);
  return lifetime === 'session' || earlier ? { lifetime } : {};
}

function meaning(variable: Variable | undefined): string {
  return variable === undefined ? 'no variable' : kinds[variable.kind].means;
}

/** What the backend gave first, else the commonest value, of equals the first. */
function binding({ first, count, others, given }: Tally): Binding {
  if (given !== undefined) return { value: given, given: true };
  let [best, most] = [first, count];
  for (const [value, times] of others ?? []) if (times > most) [best, most] = [value, times];
  return { value: best, given: false };
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
