import { jsonString } from '../../wire/json.ts';
import type { Variable } from '../golden.ts';
import { kinds, type VariableKind } from '../pattern/kinds.ts';
import { baseName } from '../pattern/unique-names.ts';
import { jsonValue, type Mismatch, type Place } from './mismatch.ts';

/** A value in the place of a variable. `given`: the backend sent it before the client did. */
export type Occurrence = { readonly place: Place; readonly value: string; readonly given: boolean };

/** The value of a variable. A `given` value is right even if every place of the client disagrees. */
type Binding = { readonly value: string; readonly given: boolean };

/**
 * Collects the values at the places of each variable. They are compared when all are known, so that one place that
 * disagrees with five is reported, and not the five.
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
    const known = this.#occurrences.get(variable);
    if (known !== undefined) known.push(occurrence);
    else if (this.#variables.has(variable)) this.#occurrences.set(variable, [occurrence]);
  }

  mismatches(): Mismatch[] {
    const bound = [...this.#occurrences].flatMap(([name, occurrences]) => {
      const variable = this.#variables.get(name);
      return variable === undefined
        ? []
        : [{ variable, occurrences, binding: bindingOf(occurrences, kinds[variable.kind].accepts) }];
    });
    const owners = Map.groupBy(
      bound.filter(({ variable }) => variable.distinct !== undefined),
      ({ binding }) => binding.value,
    );
    const ownerOf = (value: string, name: string) =>
      owners.get(value)?.find(({ variable }) => variable.name !== name)?.variable;
    const isTimely = timeliness(bound);
    return [
      ...bound.flatMap((one) => [...misshapen(one, isTimely), ...disagreements(one, ownerOf)]),
      ...this.#repetitions(bound),
    ];
  }

  /** The value of each variable that has one. */
  values(): ReadonlyMap<string, string> {
    return new Map(
      [...this.#occurrences].flatMap(([name, occurrences]): [string, string][] => {
        const variable = this.#variables.get(name);
        return variable === undefined
          ? []
          : [[name, bindingOf(occurrences, kinds[variable.kind].accepts).value]];
      }),
    );
  }

  /** Variables with the value of another variable of their set. */
  #repetitions(bound: readonly Bound[]): Mismatch[] {
    const holders = new Map<string, Bound[]>();
    return bound.flatMap((one): Mismatch[] => {
      const { variable, occurrences, binding } = one;
      const { value, given } = binding;
      if (given || variable.distinct === undefined) return [];
      const key = JSON.stringify([variable.distinct, value]);
      const earlier = holders.get(key) ?? [];
      const other = earlier.find((holder) => !this.#mayAgree(variable, holder.variable));
      earlier.push(one);
      holders.set(key, earlier);
      if (other === undefined) return [];
      return [
        {
          kind: 'repeated',
          // Either of the two variables may have the wrong value.
          places: [...placesWith(value, occurrences), ...placesWith(value, other.occurrences)],
          variable: variable.name,
          value,
          otherVariable: other.variable.name,
          ...violatedLifetime(variable, other.variable),
        },
      ];
    });
  }

  /** Two clocks may agree if they were read for the same event. */
  #mayAgree(a: Variable, b: Variable): boolean {
    return kinds[a.kind].isClock === true && this.#firstEvents.get(a.name) === this.#firstEvents.get(b.name);
  }
}

type Bound = {
  readonly variable: Variable;
  readonly occurrences: readonly Occurrence[];
  readonly binding: Binding;
};

/** The most that times of one run differ by, in milliseconds. */
const longestRun = 24 * 60 * 60 * 1000;

/**
 * Returns whether a time belongs to the run. The clocks that the client read show when that was, or else the times in its
 * ids. The median counts, so a wrong one does not decide.
 */
function timeliness(bound: readonly Bound[]): (time: number) => boolean {
  const timesOf = (kindCounts: (kind: VariableKind) => boolean) =>
    bound
      .flatMap(({ variable: { kind }, binding: { value, given } }) => {
        const { accepts, time } = kinds[kind];
        return !given && time !== undefined && kindCounts(kind) && accepts(value) ? [time(value)] : [];
      })
      .sort((a, b) => a - b);
  const clocks = timesOf((kind) => kinds[kind].isClock === true);
  const times = clocks.length > 0 ? clocks : timesOf(() => true);
  const median = times[times.length >> 1];
  return (time) => median === undefined || Math.abs(time - median) <= longestRun;
}

/** A value of another kind, or another time. The backend may give values of any kind: only the client is checked. */
function misshapen(
  { variable, occurrences, binding: { value, given } }: Bound,
  isTimely: (time: number) => boolean,
): Mismatch[] {
  const { accepts, time } = kinds[variable.kind];
  if (given || (accepts(value) && (time === undefined || isTimely(time(value))))) return [];
  return [
    {
      kind: 'retyped',
      places: placesWith(value, occurrences),
      expected: { type: 'variable', variable: variable.name, variableKind: variable.kind },
      actual: jsonValue(jsonString(value)),
    },
  ];
}

function disagreements(
  { variable, occurrences, binding: { value, given } }: Bound,
  ownerOf: (value: string, name: string) => Variable | undefined,
): Mismatch[] {
  const first = occurrences.find((one) => one.value === value && one.given === given);
  if (first === undefined) return [];
  const agreeing = placesWith(value, occurrences);
  // A backend that repeats a wrong value received it.
  const byValue = Map.groupBy(
    occurrences.filter((one) => !one.given && one.value !== value),
    (one) => one.value,
  );
  return [...byValue].map(([valueHere, others]): Mismatch => {
    const places = others.map(({ place }) => place);
    // With as many places on either side, either value may be the wrong one.
    const isTie = !given && places.length === agreeing.length;
    const owner = ownerOf(valueHere, variable.name);
    return {
      kind: 'disagrees',
      places: isTie ? [...places, ...agreeing] : places,
      variable: variable.name,
      value,
      valueAt: first.place,
      valueHere,
      ...(owner === undefined ? {} : { variableHere: owner.name }),
      ...violatedLifetime(variable, owner),
    };
  });
}

/** The lifetime that a wrong value violates; `owner` is the variable that the value belongs to. */
function violatedLifetime(variable: Variable, owner: Variable | undefined): Pick<Mismatch, 'lifetime'> {
  const { name, lifetime } = variable;
  const isStale = owner !== undefined && baseName(owner.name) === baseName(name);
  return lifetime !== undefined && (lifetime === 'session' || isStale) ? { lifetime } : {};
}

/**
 * The value that the backend gave first, otherwise the most frequent value that the kind accepts, otherwise the most
 * frequent one; of equally frequent values the first.
 */
function bindingOf(occurrences: readonly Occurrence[], accepts: (value: string) => boolean): Binding {
  const given = occurrences.find((occurrence) => occurrence.given);
  if (given !== undefined) return { value: given.value, given: true };
  const counts = [...Map.groupBy(occurrences, ({ value }) => value)].map(
    ([value, { length }]) => [value, length] as const,
  );
  const accepted = counts.filter(([value]) => accepts(value));
  const candidates = accepted.length > 0 ? accepted : counts;
  const [value] = candidates.reduce((best, next) => (next[1] > best[1] ? next : best), ['', 0] as const);
  return { value, given: false };
}

function placesWith(value: string, occurrences: readonly Occurrence[]): Place[] {
  return occurrences.flatMap((one) => (one.value === value ? [one.place] : []));
}
