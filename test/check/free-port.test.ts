import { expect, it } from 'vitest';
import { freePort } from '../../src/check/start-subject.ts';

it('gives no two subjects the same port, also if the first one does not listen yet', async () => {
  const ports = [];
  for (let n = 0; n < 500; n += 1) ports.push(await freePort());
  expect(new Set(ports).size).toBe(500);
});
