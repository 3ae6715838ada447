import { relative } from 'node:path';
import { expect, it } from 'vitest';
import { goldenReader, shapeLoader } from '../../src/check/kept-shapes.ts';
import type { Golden } from '../../src/golden/golden.ts';
import { bundledGoldens, selectGoldens } from '../../src/golden/select.ts';

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

it('reads a golden once for the shape of its version and for its scenario', async () => {
  const read = goldenReader();
  const goldens: Golden[] = [];
  const load = shapeLoader((path) => {
    const golden = read(path);
    goldens.push(golden);
    return golden;
  });
  await load([bundledGoldens], '0.118.0', 'chatgpt');
  const files = selectGoldens([bundledGoldens], ['0.118.0']).filter(({ lane }) => lane === 'chatgpt');
  expect(goldens.map(({ scenario }) => scenario)).toEqual(files.map(({ scenario }) => scenario));
  for (const [at, { path }] of files.entries()) {
    expect(read(relative('.', path))).toBe(goldens[at]);
    expect(read(path)).not.toBe(goldens[at]);
  }
});
