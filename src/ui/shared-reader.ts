import type { SharedText } from './model.ts';

/** Puts shared texts together, each once. */
export class SharedReader {
  readonly #shared: readonly SharedText[];
  readonly #known = new Map<number, string>();

  constructor(shared: readonly SharedText[]) {
    this.#shared = shared;
  }

  text(parts: SharedText | undefined): string | undefined {
    return parts?.map((part) => (typeof part === 'string' ? part : this.#at(part))).join('');
  }

  #at(index: number): string {
    const known = this.#known.get(index);
    if (known !== undefined) return known;
    const text = this.text(this.#shared[index]) ?? '';
    this.#known.set(index, text);
    return text;
  }
}
