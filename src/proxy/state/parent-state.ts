import type { ProcessCalls } from './process-calls.ts';
import type { SharedState } from './shared-state.ts';

/** What a process calls to use the state in the memory of its parent. */
export type StateCalls = {
  readonly get: (keys: readonly string[]) => Promise<readonly (string | undefined)[]>;
  readonly set: SharedState['set'];
  readonly add: SharedState['add'];
  readonly expire: SharedState['expire'];
};

/** The handlers of StateCalls, for a state in this process. */
export function stateCalls(state: SharedState): StateCalls {
  return {
    get: (keys) => state.get(keys),
    set: (...args) => state.set(...args),
    add: (...args) => state.add(...args),
    expire: (...args) => state.expire(...args),
  };
}

/** Shared state in the memory of the parent process. This process ends with its parent, so the state is never away for long. */
export class ParentState implements SharedState {
  readonly name = 'memory';
  readonly isAway = false;
  readonly failures = 0;
  readonly #parent: ProcessCalls<StateCalls>;

  constructor(parent: ProcessCalls<StateCalls>) {
    this.#parent = parent;
  }

  get(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return this.#parent.call('get', keys).catch(() => keys.map(() => undefined));
  }

  set(key: string, text: string, lifetime: number): Promise<boolean> {
    return this.#parent.call('set', key, text, lifetime).catch(() => false);
  }

  add(key: string, text: string, lifetime: number): Promise<'added' | 'exists' | 'away'> {
    return this.#parent.call('add', key, text, lifetime).catch(() => 'away');
  }

  async expire(key: string, lifetime: number, text?: string): Promise<void> {
    await this.#parent.call('expire', key, lifetime, text).catch(() => {});
  }

  onReturn(): () => void {
    return () => {};
  }

  async close(): Promise<void> {}
}
