import { expect, it, onTestFinished, vi } from 'vitest';
import { everyTick, Timeout } from '../../../src/proxy/http/timeout.ts';

/** Blocks this thread, as if the process were stopped. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

it('counts nothing for a tick that comes much too late', async () => {
  const elapsed: number[] = [];
  onTestFinished(everyTick(50, (time) => elapsed.push(time)));
  block(500);
  await expect.poll(() => elapsed.some((time) => time > 0)).toBe(true);
  expect(elapsed[0]).toBe(0);
});

it('ends once, and begins anew with each refresh', async () => {
  const ended: string[] = [];
  const refreshed = new Timeout(60, () => ended.push('refreshed'));
  const refreshes = setInterval(() => refreshed.refresh(), 20);
  new Timeout(60, () => ended.push('short'));
  new Timeout(250, () => ended.push('long'));
  await expect.poll(() => ended).toEqual(['short', 'long']);
  clearInterval(refreshes);
  await expect.poll(() => ended).toEqual(['short', 'long', 'refreshed']);
});

it('does not end at a tick that is due already when it begins', async () => {
  const other = new Timeout(100, () => {});
  onTestFinished(() => other.end());
  block(30);
  let hasEnded = false;
  new Timeout(0, () => {
    hasEnded = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 1));
  expect(hasEnded).toBe(false);
  await expect.poll(() => hasEnded).toBe(true);
});

it('does not call what has ended, also by another one in the same tick', async () => {
  const ended: string[] = [];
  const first = new Timeout(60, () => {
    ended.push('first');
    second.end();
  });
  const second = new Timeout(60, () => {
    ended.push('second');
    first.end();
  });
  await expect.poll(() => ended).toEqual(['first']);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(ended).toEqual(['first']);
});

it('leaves no timer when the timeouts that share it have ended', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  // A length that nothing else in this process uses.
  const timeouts = [1, 2].map(() => new Timeout(4321, () => {}));
  expect(vi.getTimerCount()).toBe(1);
  for (const timeout of timeouts) timeout.end();
  vi.advanceTimersByTime(4321);
  expect(vi.getTimerCount()).toBe(0);
});
