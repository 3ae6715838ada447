import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { SharedState } from './shared-state.ts';

/** Milliseconds after which the lock of a process that has died is free. A process that lives extends its lock. */
const lifetime = 12_000;

const pollInterval = 50;

export type LockOptions = {
  /** Milliseconds to wait for another holder, and for a state that is away. */
  readonly patience: { readonly held: number; readonly away: number };
  readonly isDone: () => Promise<boolean>;
};

export type StateLock = { readonly release: () => Promise<void> };

/**
 * Takes a lock. Waits for another holder, and for a state that is away, for up to `patience` milliseconds each, in which
 * `isDone` may end the wait. Returns `held` if another process has it still, and `away` if the state is away still.
 */
export async function takeLock(
  state: SharedState,
  key: string,
  { patience, isDone }: LockOptions,
): Promise<StateLock | 'held' | 'away'> {
  const owner = randomUUID();
  const started = performance.now();
  for (;;) {
    const result = await state.add(key, owner, lifetime);
    if (result === 'added') {
      const extension = setInterval(() => void state.expire(key, lifetime, owner), lifetime / 4).unref();
      const release = () => {
        clearInterval(extension);
        return state.expire(key, 0, owner);
      };
      return { release };
    }
    const obstacle = result === 'away' ? 'away' : 'held';
    if (performance.now() - started >= patience[obstacle] || (await isDone())) return obstacle;
    await delay(pollInterval);
  }
}
