import { vi } from 'vitest';
import type { Golden } from '../../src/golden/golden.ts';
import type { Mismatch } from '../../src/golden/match/mismatch.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';

/** Unifies a trace with a golden, and groups the mismatches as a JSON report does, without their words. */
export type Judge = {
  readonly mismatches: (golden: Golden, actual: readonly Exchange[]) => Mismatch[];
  readonly verdict: (mismatches: readonly Mismatch[]) => string;
};

/** The files that make texts. */
const textFiles = ['values', 'explain', 'cause-texts', 'cause-words'].map(
  (name) => `../../src/report/${name}.ts`,
);

/** The judge with the texts of reports, and one for which every text of a report is replaced by its length. */
export async function judges(): Promise<{ readonly worded: Judge; readonly reworded: Judge }> {
  const worded = await freshJudge();
  for (const path of textFiles) vi.doMock(path, lengthsForTexts);
  const reworded = await freshJudge();
  for (const path of textFiles) vi.doUnmock(path);
  return { worded, reworded };
}

async function freshJudge(): Promise<Judge> {
  vi.resetModules();
  const { unify } = await import('../../src/golden/match/unify.ts');
  const { byCause } = await import('../../src/diff/causes.ts');
  const { findingOf } = await import('../../src/diff/finding.ts');
  const { verdictOf } = await import('../../src/diff/verdict.ts');
  const { jsonReport } = await import('../../src/report/json.ts');
  return {
    mismatches: unify,
    verdict: (mismatches) => {
      const findings = byCause(mismatches).map((mismatch) => findingOf('parity', mismatch));
      const scenario = { codex: '', lane: '', scenario: '', ...verdictOf(findings, {}) };
      const report = jsonReport({ subject: '', driver: '', scenarios: [scenario] });
      return JSON.stringify(
        JSON.parse(report, (key, value) => (key === 'words' ? undefined : value)),
        null,
        1,
      );
    },
  };
}

async function lengthsForTexts(original: () => Promise<object>): Promise<object> {
  const shortened = (value: unknown): unknown => {
    if (typeof value === 'string') return String(value.length);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shortened(inner)]));
  };
  return Object.fromEntries(
    Object.entries(await original()).map(([name, value]) => [
      name,
      typeof value === 'function' ? (...args: unknown[]) => shortened(value(...args)) : value,
    ]),
  );
}
