import type { Variable } from './golden.ts';
import { kindOf, kinds, type VariableKind } from './kinds.ts';

/** Where a value was found. */
export type Spot = {
  /** Number of the event it stands in, and whether the client said it. */
  readonly event: number;
  readonly fromClient: boolean;
  /** The keys from the event down. */
  readonly path: readonly string[];
  /** Literal text before it in its string. */
  readonly before: string;
};

type Hole = {
  readonly kind: VariableKind;
  readonly number: boolean;
  /** One value for each recording. */
  readonly values: readonly string[];
  /** What it is called at its places; those of the client count, unless only the backend has it. */
  readonly names: { readonly client: string[]; readonly backend: string[] };
  readonly firstEvent: number;
};

/**
 * Collects the values that varied between recordings. Places whose values agreed in every recording get the same
 * token, and so become one variable. Readings of a clock do so only under the same name and in different events: two
 * clocks read in the same moment agree by chance.
 */
export class Holes {
  readonly #holes = new Map<string, Hole>();
  readonly #tokens = new Map<string, string>();
  readonly #readings = new Map<string, number>();

  /** The token of the variable for these values, to stand in a template until names are given. */
  claim(values: readonly string[], number: boolean, spot: Spot): string {
    const kind = kindOf(values);
    const name = nameAt(spot, values);
    const identity = JSON.stringify([
      kind,
      number,
      values,
      kinds[kind].clock ? this.#reading(name, values, spot) : '',
    ]);
    const token = this.#tokens.get(identity) ?? `#${this.#holes.size}`;
    this.#tokens.set(identity, token);
    const hole = this.#holes.get(token) ?? {
      kind,
      number,
      values,
      names: { client: [], backend: [] },
      firstEvent: spot.event,
    };
    hole.names[spot.fromClient ? 'client' : 'backend'].push(name);
    this.#holes.set(token, hole);
    return token;
  }

  /** The how-manieth reading of this clock with these values in its event. */
  #reading(name: string, values: readonly string[], { event }: Spot): string {
    const key = JSON.stringify([event, name, values]);
    const count = (this.#readings.get(key) ?? 0) + 1;
    this.#readings.set(key, count);
    return `${name} ${count}`;
  }

  /** The variables by their tokens, named, in the order of first appearance. */
  variables(): Map<string, Omit<Variable, 'lifetime'>> {
    const named = new Map<string, Omit<Variable, 'lifetime'>>();
    const taken = new Map<string, number>();
    for (const [token, hole] of this.#holes) {
      const base = nameOf(hole);
      const count = (taken.get(base) ?? 0) + 1;
      taken.set(base, count);
      const name = count === 1 ? base : `${base}_${count}`;
      named.set(token, { name, kind: hole.kind, number: hole.number, group: this.#group(hole, base) });
    }
    return named;
  }

  /**
   * Identifiers of a kind form a group, and so do clocks of one name, as long as no recording had two of them
   * equal; two clocks that are read for one event may be equal by chance.
   */
  #group(hole: Hole, base: string): string | undefined {
    const { identifies, clock } = kinds[hole.kind];
    const others = [...this.#holes.values()].filter((other) => other !== hole && other.kind === hole.kind);
    if (identifies) {
      const distinct = others.every((other) => !collide(hole, other));
      return distinct ? hole.kind : undefined;
    }
    if (clock) {
      const alike = others.filter((other) => nameOf(other) === base && other.firstEvent !== hole.firstEvent);
      const distinct = alike.every((other) => !collide(hole, other));
      return alike.length > 0 && distinct ? base : undefined;
    }
    return undefined;
  }
}

function collide(one: Hole, other: Hole): boolean {
  return one.values.some((value, run) => value === other.values[run]);
}

function nameOf({ names }: Hole): string {
  return commonest(names.client.length > 0 ? names.client : names.backend);
}

/** The name used most often; of equals, the one that came first. */
function commonest(names: readonly string[]): string {
  let best = '';
  let most = 0;
  for (const name of new Set(names)) {
    const count = names.filter((other) => other === name).length;
    if (count > most) [best, most] = [name, count];
  }
  return best;
}

/** A readable name for what stands at a spot: of a sealed text or a secret its own, else from the nearest key. */
function nameAt({ path, before }: Spot, values: readonly string[]): string {
  const secret = /^<<secret (\w+)/.exec(values[0] ?? '')?.[1];
  if (secret !== undefined) return secret;
  const tag = /<<sealed ([a-zA-Z]\w*) $/.exec(before)?.[1];
  if (tag !== undefined) return plain(tag);
  const keys = path.filter((key) => !/^\d+$/.test(key));
  const key = keys.at(-1) ?? 'value';
  if (key !== 'id') return plain(key);
  const prefix = /([a-z]+)_$/.exec(before)?.[1];
  return plain(prefix === undefined ? `${keys.at(-2) ?? 'value'}_id` : `${prefix}_id`);
}

function plain(name: string): string {
  return (
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '_')
      .replaceAll(/^_+|_+$/g, '') || 'value'
  );
}
