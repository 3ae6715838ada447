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
