import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Row, shardOf, withoutRecorded } from '../../src/record/matrix.ts';
import { loadScenario } from '../../src/scenario/scenario.ts';
import { temporaryFolder } from '../e2e/cli.ts';

const row = (version: string): Row => ({
  version,
  scenarios: [loadScenario('default'), loadScenario('fast')],
});
const rows = ['0.1.0', '0.2.0', '0.3.0', '0.4.0', '0.5.0'].map(row);
const versions = (part: readonly Row[]) => part.map(({ version }) => version);

it('gives each version to exactly one shard', () => {
  const shards = [1, 2, 3].map((part) => versions(shardOf(rows, { part, of: 3 })));
  expect(shards).toEqual([['0.1.0', '0.4.0'], ['0.2.0', '0.5.0'], ['0.3.0']]);
});

it('gives everything to the only shard', () => {
  expect(shardOf(rows, { part: 1, of: 1 })).toEqual(rows);
});

it('leaves out what the folder has already', () => {
  const out = temporaryFolder();
  mkdirSync(join(out, '0.1.0', 'chatgpt'), { recursive: true });
  writeFileSync(join(out, '0.1.0', 'chatgpt', 'default.golden.jsonl'), '');
  const left = withoutRecorded([row('0.1.0'), row('0.2.0')], out, 'chatgpt');
  expect(left.map(({ scenarios }) => scenarios.map(({ name }) => name))).toEqual([
    ['fast'],
    ['default', 'fast'],
  ]);
});
