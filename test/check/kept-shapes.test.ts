import { expect, it } from 'vitest';
import { shapeLoader } from '../../src/check/kept-shapes.ts';
import { bundledGoldens } from '../../src/golden/select.ts';

it('loads a shape once, and keeps the last four', async () => {
  const load = shapeLoader();
  const goldens = [bundledGoldens];
  const shape = await load(goldens, '0.118.0', 'chatgpt');
  expect(shape.codex).toBe('0.118.0');
  expect(await load(goldens, '0.118.0', 'api-key')).not.toBe(shape);
  for (const version of ['0.128.0', '0.130.0']) await load(goldens, version, 'chatgpt');
  expect(await load(goldens, '0.118.0', 'chatgpt')).toBe(shape);
  await load(goldens, '0.133.0', 'chatgpt');
  // The one for the API key is the oldest now.
  expect(await load(goldens, '0.118.0', 'chatgpt')).toBe(shape);
  for (const version of ['0.128.0', '0.130.0', '0.133.0', '0.140.0']) await load(goldens, version, 'chatgpt');
  expect(await load(goldens, '0.118.0', 'chatgpt')).not.toBe(shape);
});
