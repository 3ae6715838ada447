import { expect, it } from 'vitest';
import { inParallel } from '../../src/check/in-parallel.ts';

it('keeps the order of the items, whichever is done first', async () => {
  const waiting: (() => void)[] = [];
  const done = inParallel(
    ['a', 'b'],
    2,
    (item) => new Promise<string>((resolve) => waiting.push(() => resolve(item))),
  );
  await expect.poll(() => waiting.length).toBe(2);
  waiting[1]?.();
  waiting[0]?.();
  expect(await done).toEqual(['a', 'b']);
});

it('has no more under way than it is told', async () => {
  let underWay = 0;
  let most = 0;
  await inParallel([1, 2, 3, 4, 5], 2, async () => {
    underWay += 1;
    most = Math.max(most, underWay);
    await Promise.resolve();
    underWay -= 1;
  });
  expect(most).toBe(2);
});

it('fails as the first failure does', async () => {
  await expect(inParallel([1], 2, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
});

it('takes no further item after a failure', async () => {
  const taken: number[] = [];
  const work = async (item: number) => {
    taken.push(item);
    if (item === 1) throw new Error('no');
    await new Promise((resolve) => setImmediate(resolve));
  };
  await expect(inParallel([1, 2, 3, 4], 2, work)).rejects.toThrow('no');
  await new Promise((resolve) => setImmediate(resolve));
  expect(taken).toEqual([1, 2]);
});
