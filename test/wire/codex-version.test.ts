import { expect, it } from 'vitest';
import { compareVersions } from '../../src/wire/codex-version.ts';

it('orders versions numerically', () => {
  expect(['0.118.0', '0.99.0', '0.118.10', '0.118.9', '1.0.0'].sort(compareVersions)).toEqual([
    ...['0.99.0', '0.118.0', '0.118.9', '0.118.10', '1.0.0'],
  ]);
});

it('orders pre-releases before their release, numerically', () => {
  expect(['0.118.0', '0.118.0-alpha.10', '0.117.9', '0.118.0-alpha.9'].sort(compareVersions)).toEqual([
    ...['0.117.9', '0.118.0-alpha.9', '0.118.0-alpha.10', '0.118.0'],
  ]);
  expect(compareVersions('0.118.0-alpha.9', '0.118.0-alpha.9')).toBe(0);
});

it.each([
  ['a text before a longer one', '0.1.0-alpha', '0.1.0-alpha.1'],
  ['a text before the same one with a number', '0.1.0-rc', '0.1.0-rc1'],
  ['numbers within texts by their value', '0.1.0-rc9', '0.1.0-rc10'],
  ['a number before a text', '0.1.0-10', '0.1.0-alpha'],
  ['texts by their characters', '0.1.0-alpha.2', '0.1.0-beta.1'],
])('orders %s', (_, first, second) => {
  expect(compareVersions(first, second)).toBeLessThan(0);
  expect(compareVersions(second, first)).toBeGreaterThan(0);
});
