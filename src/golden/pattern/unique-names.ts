/** Assigns names to variables or shared documents. A name that is taken already gets a number: `tools_2`. */
export class UniqueNames {
  /** How often each name was requested. */
  readonly #requests = new Map<string, number>();
  readonly #taken: Set<string>;

  constructor(reserved: Iterable<string> = []) {
    this.#taken = new Set(reserved);
  }

  assign(base: string): string {
    let name: string;
    do {
      const count = (this.#requests.get(base) ?? 0) + 1;
      this.#requests.set(base, count);
      name = count === 1 ? base : `${base}_${count}`;
    } while (this.#taken.has(name));
    this.#taken.add(name);
    return name;
  }
}

/** The name without the number that UniqueNames may have added. */
export function baseName(name: string): string {
  return name.replace(/_\d+$/, '');
}

/** The text with only the characters that a name may have. */
export function nameFrom(text: string): string {
  return (
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '_')
      .replaceAll(/^_+|_+$/g, '') || 'value'
  );
}
