import { globSync, readFileSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { expect, it } from 'vitest';
import { systemTests } from '../vitest.config.ts';

const repository = join(import.meta.dirname, '..');

it('counts every test that installs the official client as a system test', () => {
  const installing = globSync('test/**/*.test.ts', { cwd: repository }).filter((file) =>
    /\binstallOfficialClient\(/.test(readFileSync(join(repository, file), 'utf8')),
  );
  const isSystem = (file: string) => systemTests.some((pattern) => matchesGlob(file, pattern));
  expect(installing.length).toBeGreaterThan(0);
  expect(installing.filter((file) => !isSystem(file) && file !== 'test/system-tests.test.ts')).toEqual([]);
});
