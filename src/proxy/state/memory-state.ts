import type { SharedState } from './shared-state.ts';

export type MemoryBounds = {
  /** The most keys. */
  readonly keys: number;
  /** The most UTF-16 code units of all texts. */
  readonly length: number;
};

type Entry = { readonly text: string; readonly until: number };

/** The kinds of keys of which clients make any number: what is before the first colon. */
const kindsOfConversations = ['session', 'response', 'account', 'http'];

/**
 * Shared state in the memory of this process, for the workers that it has started. What was stored first is forgotten first:
 * of all that belongs to conversations, and of each other kind. So no number of conversations removes a lock.
 */
export class MemoryState implements SharedState {
  readonly name = 'memory';
  readonly isAway = false;
  readonly failures = 0;
  readonly #bounds: MemoryBounds;
  readonly #groups = new Map<string, Entries>();

  /** @param bounds of all that belongs to conversations, and of each other kind */
  constructor(bounds: MemoryBounds) {
    this.#bounds = bounds;
  }

  async get(keys: readonly string[]): Promise<(string | undefined)[]> {
    return keys.map((key) => this.#group(key).find(key)?.text);
  }

  async set(key: string, text: string, lifetime: number): Promise<boolean> {
    return this.#group(key).set(key, text, lifetime);
  }

  async add(key: string, text: string, lifetime: number): Promise<'added' | 'exists'> {
    if (this.#group(key).find(key) !== undefined) return 'exists';
    this.#group(key).set(key, text, lifetime);
    return 'added';
  }

  async expire(key: string, lifetime: number, text?: string): Promise<void> {
    this.#group(key).expire(key, lifetime, text);
  }

  onReturn(): () => void {
    return () => {};
  }

  async close(): Promise<void> {}

  #group(key: string): Entries {
    const kind = key.slice(0, Math.max(key.indexOf(':'), 0));
    const name = kindsOfConversations.includes(kind) ? 'conversations' : kind;
    const group = this.#groups.get(name) ?? new Entries(this.#bounds);
    this.#groups.set(name, group);
    return group;
  }
}

/** Texts within bounds. */
class Entries {
  readonly #bounds: MemoryBounds;
  readonly #entries = new Map<string, Entry>();
  #length = 0;

  constructor(bounds: MemoryBounds) {
    this.#bounds = bounds;
  }

  find(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.until > Date.now() ? entry : undefined;
  }

  set(key: string, text: string, lifetime: number): boolean {
    this.#remove(key);
    this.#entries.set(key, { text, until: Date.now() + lifetime });
    this.#length += text.length;
    const [[oldest] = ['']] = this.#entries;
    if (this.find(oldest) === undefined) this.#remove(oldest);
    for (const [oldest] of this.#entries) {
      if (this.#entries.size <= this.#bounds.keys && this.#length <= this.#bounds.length) break;
      this.#remove(oldest);
    }
    return this.#entries.has(key);
  }

  expire(key: string, lifetime: number, text?: string): void {
    const entry = this.find(key);
    if (entry === undefined || (text !== undefined && entry.text !== text)) return;
    if (lifetime <= 0) this.#remove(key);
    else this.#entries.set(key, { ...entry, until: Date.now() + lifetime });
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#length -= entry.text.length;
    this.#entries.delete(key);
  }
}
