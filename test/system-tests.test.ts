import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { expect, it } from 'vitest';
import { long, systemTests } from '../vitest.config.ts';

const repository = join(import.meta.dirname, '..');

it('counts every test that installs the official client or starts Redis as a system test', () => {
  const starting = globSync('test/**/*.test.ts', { cwd: repository }).filter((file) =>
    /\b(?:installOfficialClient|startRedis)\(/.test(readFileSync(join(repository, file), 'utf8')),
  );
  const isSystem = (file: string) => systemTests.some((pattern) => matchesGlob(file, pattern));
  expect(starting.length).toBeGreaterThan(0);
  expect(starting.filter((file) => !isSystem(file) && file !== 'test/system-tests.test.ts')).toEqual([]);
});

it('starts first only tests that exist', () => {
  expect(long.filter((name) => !existsSync(join(repository, 'test', `${name}.test.ts`)))).toEqual([]);
});
