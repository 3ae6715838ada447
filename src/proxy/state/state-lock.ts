import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { SharedState } from './shared-state.ts';

/** Milliseconds after which the lock of a process that has died is free. A process that lives extends its lock. */
const lifetime = 12_000;

const pollInterval = 50;

export type StateLock = { readonly release: () => Promise<void> };

/**
 * Takes a lock. Waits for another holder for up to `patience` milliseconds, in which `isDone` may end the wait. Returns
 * `held` if another process has it still, and `away` if the state is away.
 */
export async function takeLock(
  state: SharedState,
  key: string,
  { patience, isDone }: { readonly patience: number; readonly isDone: () => Promise<boolean> },
): Promise<StateLock | 'held' | 'away'> {
  const owner = randomUUID();
  const deadline = Date.now() + patience;
  for (;;) {
    const result = await state.add(key, owner, lifetime);
    if (result === 'away') return 'away';
    if (result === 'added') {
      const extension = setInterval(() => void state.expire(key, lifetime, owner), lifetime / 4).unref();
      const release = () => {
        clearInterval(extension);
        return state.expire(key, 0, owner);
      };
      return { release };
    }
    if (Date.now() >= deadline || (await isDone())) return 'held';
    await delay(pollInterval);
  }
}
