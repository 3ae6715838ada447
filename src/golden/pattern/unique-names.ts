/** Gives each name once, to variables or to shared documents: who asks again gets it with a number, as `tools_2`. */
export class UniqueNames {
  /** How often each name was asked for. */
  readonly #asked = new Map<string, number>();
  readonly #given: Set<string>;

  /** Names that are reserved are given to nobody. */
  constructor(reserved: Iterable<string> = []) {
    this.#given = new Set(reserved);
  }

  give(base: string): string {
    let name: string;
    do {
      const count = (this.#asked.get(base) ?? 0) + 1;
      this.#asked.set(base, count);
      name = count === 1 ? base : `${base}_${count}`;
    } while (this.#given.has(name));
    this.#given.add(name);
    return name;
  }
}

/** What variables of one name are called, of which the second and further ones are numbered. */
export function baseName(name: string): string {
  return name.replace(/_\d+$/, '');
}

/** A text in the letters that names have. */
export function nameFrom(text: string): string {
  return (
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '_')
      .replaceAll(/^_+|_+$/g, '') || 'value'
  );
}
