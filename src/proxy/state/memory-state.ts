import type { SharedState } from './shared-state.ts';

export type MemoryBounds = {
  /** The most keys. */
  readonly keys: number;
  /** The most UTF-16 code units of all texts. */
  readonly length: number;
};

type Entry = { readonly text: string; readonly until: number };

/** Shared state in the memory of this process, for the workers that it has started. What was stored first is forgotten first. */
export class MemoryState implements SharedState {
  readonly name = 'memory';
  readonly isAway = false;
  readonly failures = 0;
  readonly #bounds: MemoryBounds;
  readonly #entries = new Map<string, Entry>();
  #length = 0;

  constructor(bounds: MemoryBounds) {
    this.#bounds = bounds;
  }

  async get(keys: readonly string[]): Promise<(string | undefined)[]> {
    return keys.map((key) => this.#find(key)?.text);
  }

  async set(key: string, text: string, lifetime: number): Promise<boolean> {
    this.#remove(key);
    this.#entries.set(key, { text, until: Date.now() + lifetime });
    this.#length += text.length;
    const [[oldest] = ['']] = this.#entries;
    if (this.#find(oldest) === undefined) this.#remove(oldest);
    for (const [oldest] of this.#entries) {
      if (this.#entries.size <= this.#bounds.keys && this.#length <= this.#bounds.length) break;
      this.#remove(oldest);
    }
    return this.#entries.has(key);
  }

  async add(key: string, text: string, lifetime: number): Promise<'added' | 'exists'> {
    if (this.#find(key) !== undefined) return 'exists';
    await this.set(key, text, lifetime);
    return 'added';
  }

  async expire(key: string, lifetime: number, text?: string): Promise<void> {
    const entry = this.#find(key);
    if (entry === undefined || (text !== undefined && entry.text !== text)) return;
    if (lifetime <= 0) this.#remove(key);
    else this.#entries.set(key, { ...entry, until: Date.now() + lifetime });
  }

  onReturn(): () => void {
    return () => {};
  }

  async close(): Promise<void> {}

  #find(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.until > Date.now() ? entry : undefined;
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#length -= entry.text.length;
    this.#entries.delete(key);
  }
}
