import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { SharedState } from './shared-state.ts';

/** Milliseconds for which a lock is kept: longer than any conversation, so that a Redis that is full removes those first. */
const lifetime = 30 * 24 * 60 * 60_000;

const pollInterval = 50;

/** Milliseconds between two looks that count at most: in a longer time this process had no processor. */
const longestLook = 200;

export type LockOptions = {
  /** Milliseconds to wait for another holder, and for a state that is away. */
  readonly patience: { readonly held: number; readonly away: number };
  readonly isDone: () => Promise<boolean>;
  /** Milliseconds without a sign of life after which a lock is taken over. Default: 12 s. */
  readonly deadTime?: number;
};

export type StateLock = { readonly release: () => Promise<void> };

/**
 * Takes a lock. Waits for another holder, and for a state that is away, for up to `patience` milliseconds each, in which
 * `isDone` may end the wait. Takes over the lock of a process that has died: one that lives signs again and again. Returns `held`
 * if another process has it still, and `away` if the state is away still.
 */
export async function takeLock(
  state: SharedState,
  key: string,
  { patience, isDone, deadTime = 12_000 }: LockOptions,
): Promise<StateLock | 'held' | 'away'> {
  const owner = randomUUID();
  const signKey = `${key}:sign`;
  const started = performance.now();
  /** The holder and its last sign of life, and for how long they have been the same. */
  let seen = { text: '', for: 0 };
  let looked = started;
  for (;;) {
    const result = await state.add(key, owner, lifetime);
    if (result === 'added') {
      const signs = setInterval(() => void state.set(signKey, randomUUID(), lifetime), deadTime / 4).unref();
      const release = async () => {
        clearInterval(signs);
        await state.expire(signKey, 0);
        await state.expire(key, 0, owner);
      };
      return { release };
    }
    const now = performance.now();
    const obstacle = result === 'away' ? 'away' : 'held';
    if (now - started >= patience[obstacle] || (await isDone())) return obstacle;
    const [holder, sign] = result === 'exists' ? await state.get([key, signKey]) : [];
    const text = `${holder} ${sign}`;
    seen = { text, for: text === seen.text ? seen.for + Math.min(now - looked, longestLook) : 0 };
    looked = now;
    if (holder !== undefined && seen.for >= deadTime) await state.expire(key, 0, holder);
    await delay(pollInterval);
  }
}
