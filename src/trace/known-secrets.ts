/** The length of the shortest secret that is searched for. Shorter ones would match inside ordinary words. */
const shortest = 6;

type KnownSecret = { readonly seal: string; readonly order: number };

/** A known secret in a text. */
export type KnownSpan = { readonly start: number; readonly end: number; readonly seal: string };

/**
 * Finds known secrets in texts. The time depends on the length of the text, and not on the number of secrets: only where
 * a text has the first characters of a secret is it compared with secrets, by their lengths.
 */
export class KnownSecrets {
  readonly #secrets = new Map<string, KnownSecret>();
  /** The lengths of the secrets that begin with some characters. */
  readonly #lengths = new Map<string, Set<number>>();

  add(value: string, seal: string): void {
    if (value.length < shortest || this.#secrets.has(value)) return;
    this.#secrets.set(value, { seal, order: this.#secrets.size });
    const beginning = value.slice(0, shortest);
    const lengths = this.#lengths.get(beginning) ?? new Set();
    this.#lengths.set(beginning, lengths.add(value.length));
  }

  /** All that occur, longest first, because one may contain another. They may overlap. */
  find(text: string): KnownSpan[] {
    const found: (KnownSpan & { readonly order: number })[] = [];
    for (let start = 0; start + shortest <= text.length; start += 1) {
      for (const length of this.#lengths.get(text.slice(start, start + shortest)) ?? []) {
        const end = start + length;
        const secret = end <= text.length ? this.#secrets.get(text.slice(start, end)) : undefined;
        if (secret !== undefined) found.push({ start, end, ...secret });
      }
    }
    return found.sort(
      (a, b) => b.end - b.start - (a.end - a.start) || a.order - b.order || a.start - b.start,
    );
  }
}
