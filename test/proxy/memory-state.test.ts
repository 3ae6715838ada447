import { expect, it, onTestFinished } from 'vitest';
import { MemoryState } from '../../src/proxy/state/memory-state.ts';
import { takeLock } from '../../src/proxy/state/state-lock.ts';

const minute = 60_000;

const lockOptions = (held: number) => ({
  patience: { held, away: 0 },
  isDone: async () => false,
  deadTime: 2000,
});

it('forgets what was stored first when the memory is full', async () => {
  const state = new MemoryState({ keys: 3, length: 10 });
  for (const key of ['a', 'b', 'c', 'd']) await state.set(key, '12', minute);
  expect(await state.get(['a', 'b', 'c', 'd'])).toEqual([undefined, '12', '12', '12']);
  await state.set('e', '12345678', minute);
  expect(await state.get(['b', 'c', 'd', 'e'])).toEqual([undefined, undefined, '12', '12345678']);
  expect(await state.set('f', '12345678901', minute)).toBe(false);
});

it('keeps locks and renewed tokens, however many conversations there are', async () => {
  const state = new MemoryState({ keys: 3, length: 100 });
  await state.set('tokens:of a sign-in', 'renewed', minute);
  const lock = await takeLock(state, 'renewal:of a sign-in', lockOptions(0));
  onTestFinished(async () => void (typeof lock === 'object' && (await lock.release())));
  const kinds = ['session', 'response', 'account', 'http'];
  const keys = kinds.flatMap((kind) => [1, 2, 3, 4].map((number) => `${kind}:${number}`));
  for (const key of keys) await state.set(key, 'a conversation', minute);
  expect(await takeLock(state, 'renewal:of a sign-in', lockOptions(0))).toBe('held');
  expect(await state.get(['tokens:of a sign-in'])).toEqual(['renewed']);
  const kept = (await state.get(keys)).filter((text) => text !== undefined);
  expect(kept).toHaveLength(3);
});

it('takes over the lock of a process that has died, and not that of one that lives', async () => {
  const state = new MemoryState({ keys: 100, length: 10_000 });
  await state.add('lock of the dead', 'nobody', 60 * minute);
  const held = await takeLock(state, 'lock of the living', lockOptions(0));
  const [ofDead, ofLiving] = await Promise.all([
    takeLock(state, 'lock of the dead', lockOptions(minute)),
    takeLock(state, 'lock of the living', lockOptions(5000)),
  ]);
  expect(ofLiving).toBe('held');
  for (const lock of [held, ofDead]) {
    expect(lock).toHaveProperty('release');
    if (typeof lock === 'object') await lock.release();
  }
  expect(await state.get(['lock of the dead', 'lock of the living'])).toEqual([undefined, undefined]);
});
