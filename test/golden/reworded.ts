import { expect, vi } from 'vitest';
import type { Mismatch } from '../../src/golden/match/mismatch.ts';

/** Groups the mismatches of several scenarios as a JSON report does, without their words. */
export type Verdict = (scenarios: readonly (readonly Mismatch[])[]) => string;

/** The files that make texts. */
const textFiles = ['values', 'explain', 'cause-texts', 'cause-words'].map(
  (name) => `../../src/report/${name}.ts`,
);

/** The verdict with the texts of reports, and one for which every text of a report is replaced by its length. */
export async function verdicts(): Promise<{ readonly worded: Verdict; readonly reworded: Verdict }> {
  const worded = await freshVerdict();
  const loaded: string[] = [];
  try {
    for (const path of textFiles) {
      vi.doMock(path, (original: () => Promise<object>) => {
        loaded.push(path);
        return lengthsForTexts(original);
      });
    }
    // Mismatches cannot depend on texts: what finds them loads no file that makes one.
    vi.resetModules();
    await import('../../src/golden/match/unify.ts');
    expect(loaded).toEqual([]);
    const reworded = await freshVerdict();
    expect(loaded.toSorted()).toEqual(textFiles.toSorted());
    return { worded, reworded };
  } finally {
    for (const path of textFiles) vi.doUnmock(path);
    // For the tests that follow in this process.
    vi.resetModules();
  }
}

async function freshVerdict(): Promise<Verdict> {
  vi.resetModules();
  const { byCause } = await import('../../src/diff/causes.ts');
  const { findingOf } = await import('../../src/diff/finding.ts');
  const { verdictOf } = await import('../../src/diff/verdict.ts');
  const { jsonReport } = await import('../../src/report/json.ts');
  return (all) => {
    const scenarios = all.map((mismatches, at) => {
      const findings = byCause(mismatches).map((mismatch) => findingOf('parity', mismatch));
      return { codex: '', lane: '', scenario: String(at), ...verdictOf(findings, {}) };
    });
    const report = JSON.parse(jsonReport({ subject: '', driver: '', scenarios }));
    for (const one of [report, ...report.scenarios].flatMap(({ causes, findings }) => causes ?? findings))
      delete one.words;
    return JSON.stringify(report, null, 1);
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
