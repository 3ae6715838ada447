import type { Variable } from '../golden.ts';
import { authorityName } from '../pattern/authority.ts';
import { kinds, narrowestKind, type VariableKind } from '../pattern/kinds.ts';
import { nameFrom, UniqueNames } from '../pattern/unique-names.ts';

/** Where values were found. */
export type ValueLocation = {
  /** The index of the event. */
  readonly event: number;
  readonly fromClient: boolean;
  /** The keys from the event down. */
  readonly path: readonly string[];
  /** The literal text before the value in its string. */
  readonly before: string;
  /** The client races for this value: any equality with another value is chance, so it gets a variable of its own. */
  readonly raced: boolean;
  /** Default: the narrowest kind of the values. */
  readonly kind?: VariableKind;
};

type CollectedVariable = {
  readonly kind: VariableKind;
  readonly number: boolean;
  /** One value for each recording. */
  readonly values: readonly string[];
  /** How often each name was suggested. Names from the backend count only if the client never has the value. */
  readonly names: { readonly client: Map<string, number>; readonly backend: Map<string, number> };
  readonly firstEvent: number;
  readonly raced: boolean;
};

/**
 * Collects the values that differ between recordings. Places whose values are equal in every recording get the same
 * token, and so become one variable. Clocks must also have the same name and be in different events: two clocks that are
 * read at the same moment are equal by chance.
 */
export class VariableCollector {
  readonly #variables = new Map<string, CollectedVariable>();
  readonly #tokens = new Map<string, string>();
  readonly #readings = new Map<string, number>();

  /** Returns the token of the variable for these values. It stands for the name in templates until names are known. */
  assign(values: readonly string[], number: boolean, at: ValueLocation): string {
    const { kind = narrowestKind(values) } = at;
    const name = suggestName(at, values);
    const identity = JSON.stringify([
      kind,
      number,
      values,
      kinds[kind].isClock ? this.#reading(name, values, at.event) : '',
      at.raced ? this.#variables.size : '',
    ]);
    const token = this.#tokens.get(identity) ?? `#${this.#variables.size}`;
    this.#tokens.set(identity, token);
    const variable = this.#variables.get(token) ?? {
      kind,
      number,
      values,
      names: { client: new Map(), backend: new Map() },
      firstEvent: at.event,
      raced: at.raced,
    };
    const names = variable.names[at.fromClient ? 'client' : 'backend'];
    names.set(name, (names.get(name) ?? 0) + 1);
    this.#variables.set(token, variable);
    return token;
  }

  /** A clock's name, and how many clocks of this name in the event have had these values so far. */
  #reading(name: string, values: readonly string[], event: number): string {
    const key = JSON.stringify([event, name, values]);
    const count = (this.#readings.get(key) ?? 0) + 1;
    this.#readings.set(key, count);
    return `${name} ${count}`;
  }

  isRaced(token: string): boolean {
    return this.#variables.get(token)?.raced === true;
  }

  /** The variables by token, with their names, in the order of their first appearance. */
  variables(): Map<string, Omit<Variable, 'lifetime'>> {
    const names = new UniqueNames([authorityName]);
    const groups = new Groups();
    const named = [...this.#variables].map(([token, variable]) => {
      const base = commonestName(variable);
      if (!variable.raced) groups.add(variable, base);
      return { token, variable, base };
    });
    return new Map(
      named.map(({ token, variable, base }) => {
        const { kind, number, raced } = variable;
        const distinct = raced ? undefined : groups.of(variable, base);
        return [token, { name: names.assign(base), kind, number, distinct }];
      }),
    );
  }
}

/**
 * Identifiers of one kind form a group, and so do clocks of one name, unless a recording has two of them with the same
 * value. Two clocks that are read for the same event may be equal by chance, and stay in the group.
 */
class Groups {
  /** For each trait, the first events of the variables that have it. */
  readonly #events = new Map<string, Set<number>>();
  /** For each trait, how many variables have it. */
  readonly #counts = new Map<string, number>();

  add(variable: CollectedVariable, base: string): void {
    for (const trait of traits(variable, base)) {
      const events = this.#events.get(trait) ?? new Set();
      this.#events.set(trait, events.add(variable.firstEvent));
      this.#counts.set(trait, (this.#counts.get(trait) ?? 0) + 1);
    }
  }

  of(variable: CollectedVariable, base: string): string | undefined {
    const { isIdentifier, isClock } = kinds[variable.kind];
    const [group = '', ...values] = traits(variable, base);
    if (isIdentifier)
      return values.every((value) => this.#counts.get(value) === 1) ? variable.kind : undefined;
    const isInOneEvent = (trait: string) => (this.#events.get(trait)?.size ?? 0) <= 1;
    return isClock && !isInOneEvent(group) && values.every(isInOneEvent) ? base : undefined;
  }
}

/** The group that a variable belongs to, then its value in each recording, which no other variable of it may have. */
function traits({ kind, values }: CollectedVariable, base: string): string[] {
  const { isIdentifier, isClock } = kinds[kind];
  if (!isIdentifier && !isClock) return [];
  const group = JSON.stringify(isIdentifier ? [kind] : [kind, base]);
  return [group, ...values.map((value, run) => `${group} ${run} ${value}`)];
}

/** The name that was suggested most often. Of several, the first. */
function commonestName({ names: { client, backend } }: CollectedVariable): string {
  let [best, most] = ['', 0];
  for (const [name, count] of client.size > 0 ? client : backend) {
    if (count > most) [best, most] = [name, count];
  }
  return best;
}

/** A readable name for a value: that of its secret or its seal, or else the nearest key. */
function suggestName({ path, before }: ValueLocation, values: readonly string[]): string {
  const secret = /^<<secret (\w+)/.exec(values[0] ?? '')?.[1];
  if (secret !== undefined) return secret;
  const tag = /<<sealed ([a-zA-Z]\w*) $/.exec(before)?.[1];
  if (tag !== undefined) return nameFrom(tag);
  const keys = path.filter((key) => !/^\d+$/.test(key));
  const key = keys.at(-1) ?? 'value';
  if (key !== 'id') return nameFrom(key);
  const prefix = /([a-z]+)_$/.exec(before)?.[1];
  return nameFrom(`${prefix ?? keys.at(-2) ?? 'value'}_id`);
}
