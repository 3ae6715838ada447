import type { Variable } from '../golden.ts';
import { authorityName } from '../pattern/authority.ts';
import { kinds, narrowestKind, type VariableKind } from '../pattern/kinds.ts';
import { nameFrom, UniqueNames } from '../pattern/unique-names.ts';

/** Where a value was found. */
export type ValueLocation = {
  /** Number of the event it stands in, and whether the client said it. */
  readonly event: number;
  readonly fromClient: boolean;
  /** The keys from the event down. */
  readonly path: readonly string[];
  /** Literal text before it in its string. */
  readonly before: string;
  /** What stands here agrees with other places by chance alone: it is bound to none, and has no part in groups. */
  readonly free: boolean;
};

type Hole = {
  readonly kind: VariableKind;
  readonly number: boolean;
  /** One value for each recording. */
  readonly values: readonly string[];
  /** What it is called, at how many places; those of the client count, unless only the backend has it. */
  readonly names: { readonly client: Map<string, number>; readonly backend: Map<string, number> };
  readonly firstEvent: number;
  readonly free: boolean;
};

/**
 * Collects the values that varied between recordings. Places whose values agreed in every recording get the same
 * token, and so become one variable. Readings of a clock do so only under the same name and in different events: two
 * clocks read in the same moment agree by chance. Each free place has a variable of its own.
 */
export class VariableCollector {
  readonly #holes = new Map<string, Hole>();
  readonly #tokens = new Map<string, string>();
  readonly #readings = new Map<string, number>();

  /** The token of the variable for these values, to stand in a template until names are given. */
  claim(values: readonly string[], number: boolean, spot: ValueLocation): string {
    const kind = narrowestKind(values);
    const name = nameAt(spot, values);
    const identity = JSON.stringify([
      kind,
      number,
      values,
      kinds[kind].isClock ? this.#reading(name, values, spot) : '',
      spot.free ? this.#holes.size : '',
    ]);
    const token = this.#tokens.get(identity) ?? `#${this.#holes.size}`;
    this.#tokens.set(identity, token);
    const hole = this.#holes.get(token) ?? {
      kind,
      number,
      values,
      names: { client: new Map(), backend: new Map() },
      firstEvent: spot.event,
      free: spot.free,
    };
    const names = hole.names[spot.fromClient ? 'client' : 'backend'];
    names.set(name, (names.get(name) ?? 0) + 1);
    this.#holes.set(token, hole);
    return token;
  }

  /** The how-manieth reading of this clock with these values in its event. */
  #reading(name: string, values: readonly string[], { event }: ValueLocation): string {
    const key = JSON.stringify([event, name, values]);
    const count = (this.#readings.get(key) ?? 0) + 1;
    this.#readings.set(key, count);
    return `${name} ${count}`;
  }

  /** Whether the variable of a token is one of a free place. */
  isFree(token: string): boolean {
    return this.#holes.get(token)?.free === true;
  }

  /** The variables by their tokens, named, in the order of first appearance. */
  variables(): Map<string, Omit<Variable, 'lifetime'>> {
    const named = new Map<string, Omit<Variable, 'lifetime'>>();
    const names = new UniqueNames([authorityName]);
    const groups = new Groups();
    const bases = new Map<Hole, string>();
    for (const hole of this.#holes.values()) {
      const base = nameOf(hole);
      bases.set(hole, base);
      if (!hole.free) groups.add(hole, base);
    }
    for (const [token, hole] of this.#holes) {
      const base = bases.get(hole) ?? '';
      const group = hole.free ? undefined : groups.of(hole, base);
      named.set(token, { name: names.give(base), kind: hole.kind, number: hole.number, group });
    }
    return named;
  }
}

/**
 * Identifiers of a kind form a group, and so do clocks of one name, as long as no recording had two of them equal; two
 * clocks that are read for one event may be equal by chance.
 */
class Groups {
  /** The events of the holes that have a trait in common. */
  readonly #events = new Map<string, Set<number>>();
  /** How many of them there are. */
  readonly #counts = new Map<string, number>();

  add(hole: Hole, base: string): void {
    for (const trait of traits(hole, base)) {
      const events = this.#events.get(trait) ?? new Set();
      this.#events.set(trait, events.add(hole.firstEvent));
      this.#counts.set(trait, (this.#counts.get(trait) ?? 0) + 1);
    }
  }

  of(hole: Hole, base: string): string | undefined {
    const { isIdentifier, isClock } = kinds[hole.kind];
    const [group = '', ...values] = traits(hole, base);
    if (isIdentifier) return values.every((value) => this.#counts.get(value) === 1) ? hole.kind : undefined;
    const isAlone = (trait: string) => (this.#events.get(trait)?.size ?? 0) <= 1;
    return isClock && !isAlone(group) && values.every(isAlone) ? base : undefined;
  }
}

/** What makes a hole one of a group, and then its values, which no other one of it may have. */
function traits({ kind, values }: Hole, base: string): string[] {
  const { isIdentifier, isClock } = kinds[kind];
  if (!isIdentifier && !isClock) return [];
  const group = JSON.stringify(isIdentifier ? [kind] : [kind, base]);
  return [group, ...values.map((value, run) => `${group} ${run} ${value}`)];
}

function nameOf({ names }: Hole): string {
  return commonest(names.client.size > 0 ? names.client : names.backend);
}

/** The name used most often; of equals, the one that came first. */
function commonest(names: ReadonlyMap<string, number>): string {
  let best = '';
  let most = 0;
  for (const [name, count] of names) if (count > most) [best, most] = [name, count];
  return best;
}

/** A readable name for what stands at a spot: of a sealed text or a secret its own, else from the nearest key. */
function nameAt({ path, before }: ValueLocation, values: readonly string[]): string {
  const secret = /^<<secret (\w+)/.exec(values[0] ?? '')?.[1];
  if (secret !== undefined) return secret;
  const tag = /<<sealed ([a-zA-Z]\w*) $/.exec(before)?.[1];
  if (tag !== undefined) return nameFrom(tag);
  const keys = path.filter((key) => !/^\d+$/.test(key));
  const key = keys.at(-1) ?? 'value';
  if (key !== 'id') return nameFrom(key);
  const prefix = /([a-z]+)_$/.exec(before)?.[1];
  return nameFrom(prefix === undefined ? `${keys.at(-2) ?? 'value'}_id` : `${prefix}_id`);
}
