import { expect, it } from 'vitest';
import { FreePorts } from '../../src/check/free-port.ts';

it('gives two subjects that start at once different ports, also if another process starts them', async () => {
  const [own, other] = [new FreePorts(25_000), new FreePorts(25_000)];
  const taken: number[] = [];
  for (let n = 0; n < 250; n += 1) taken.push(await own.take(), await other.take());
  expect(new Set(taken).size).toBe(500);
});

it('begins again after the last port', async () => {
  const ports = new FreePorts(29_999);
  for (const port of [await ports.take(), await ports.take()]) {
    expect(port).toBeGreaterThanOrEqual(20_000);
    expect(port).toBeLessThan(30_000);
  }
});
