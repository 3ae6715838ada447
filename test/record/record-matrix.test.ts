import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cellsOf, type MatrixRow, shardOf, withoutRecorded } from '../../src/record/record-matrix.ts';
import { loadScenario } from '../../src/scenario/scenario.ts';
import { temporaryFolder } from '../e2e/cli.ts';

const row = (version: string): MatrixRow => ({
  version,
  cells: cellsOf([loadScenario('default'), loadScenario('fast')], ['chatgpt', 'api-key']),
});
const rows = ['0.1.0', '0.2.0', '0.3.0', '0.4.0', '0.5.0'].map(row);
const versions = (part: readonly MatrixRow[]) => part.map(({ version }) => version);

it('assigns each version to exactly one shard', () => {
  const shards = [1, 2, 3].map((part) => versions(shardOf(rows, { part, total: 3 })));
  expect(shards).toEqual([['0.1.0', '0.4.0'], ['0.2.0', '0.5.0'], ['0.3.0']]);
});

it('assigns everything to a single shard', () => {
  expect(shardOf(rows, { part: 1, total: 1 })).toEqual(rows);
});

const names = ({ cells }: MatrixRow) => cells.map(({ lane, scenario }) => `${lane} ${scenario.name}`);

it('skips goldens that exist in the folder, by lane', () => {
  const out = temporaryFolder();
  mkdirSync(join(out, '0.1.0', 'api-key'), { recursive: true });
  writeFileSync(join(out, '0.1.0', 'api-key', 'default.golden.jsonl'), '');
  const left = withoutRecorded([row('0.1.0'), row('0.2.0')], out);
  expect(left.map(names)).toEqual([
    ['chatgpt default', 'chatgpt fast', 'api-key fast'],
    ['chatgpt default', 'api-key default', 'chatgpt fast', 'api-key fast'],
  ]);
});

it('records each scenario in the lanes it declares, or in chatgpt when it declares none', () => {
  const scenarios = ['tool-turn', 'flex'].map(loadScenario);

  expect(names({ version: '0.1.0', cells: cellsOf(scenarios) })).toEqual([
    ...[
      'chatgpt tool-turn',
      'api-key tool-turn',
      'free-plan tool-turn',
      'base-url tool-turn',
      'chatgpt flex',
    ],
  ]);
  expect(names({ version: '0.1.0', cells: cellsOf(scenarios, ['base-url']) })).toEqual([
    'base-url tool-turn',
  ]);
});
