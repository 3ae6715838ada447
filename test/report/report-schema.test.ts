import { expect, it } from 'vitest';
import { z } from 'zod';
import { requestOperators } from '../../scripts/mutations/request-operators.ts';
import { neutralityFindings } from '../../src/diff/neutrality/neutrality.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import { allUnfinished, verdictOf } from '../../src/diff/verdict.ts';
import { jsonReport } from '../../src/report/json.ts';
import { reportSchema } from '../../src/report/report-schema.ts';
import { sampleGolden, sampleRun } from '../golden/sample-run.ts';

it('has the schema that docs/ shows', async () => {
  const schema = z.toJSONSchema(reportSchema, { target: 'draft-7', reused: 'ref', io: 'input' });
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot('../../docs/report.schema.json');
});

it('follows the schema for every kind of finding', () => {
  const [official, other] = [sampleRun(7)[0], sampleRun(8)[0]];
  if (official === undefined || other === undefined) throw new RangeError('no exchange');
  const golden = sampleGolden();
  const kinds = new Set<string>();
  for (const { name: operator, mutants } of requestOperators(official, other)) {
    const scenarios = mutants.slice(0, 8).map(({ mutate }) => {
      const findings = [...parityFindings(golden, [mutate()]), ...neutralityFindings([official], [mutate()])];
      for (const { kind } of findings) kinds.add(kind);
      return { codex: '0.0.0', lane: 'chatgpt', scenario: operator, ...verdictOf(findings, {}) };
    });
    const report = jsonReport({ subject: 'mine', driver: 'replay', scenarios });
    expect(reportSchema.safeParse(JSON.parse(report)).error?.issues).toBeUndefined();
  }
  expect(kinds.size).toBe(11);
});

it('follows the schema for every verdict', () => {
  const id = { codex: '0.0.0', lane: 'chatgpt', scenario: 'fast' };
  const report = jsonReport({
    subject: 'mine',
    driver: 'replay',
    scenarios: [
      { ...id, ...verdictOf([], {}) },
      { ...id, ...verdictOf([], allUnfinished({ type: 'failed', reason: 'it died' })) },
      { ...id, ...verdictOf([], { parity: { type: 'not checked', reason: 'it cannot' } }) },
    ],
  });
  expect(reportSchema.safeParse(JSON.parse(report)).error?.issues).toBeUndefined();
});
