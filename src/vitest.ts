/** Matchers for Vitest. A test, or a file in `setupFiles`, imports `codex-parity/vitest` for them. */
import { expect } from 'vitest';
import type { comparisons } from './diff/comparison.ts';
import { type CheckReport, diff, type Golden, type GoldenSource, type Verdict } from './index.ts';
import { titleOf } from './report/report.ts';
import { textReport } from './report/text.ts';

export type ParityMatchers<R extends void | Promise<void> = void> = {
  /**
   * Expects that the trace in a file matches a golden: an object, the path of one, or a name such as `latest` or
   * `0.171.0/fast`. For the result of `check`, expects parity in every scenario, and takes no golden.
   */
  toMatchGolden(golden?: string | Golden, source?: GoldenSource): R;
  /** Expects of the result of `check` that the proxy passed on all requests and responses unchanged. */
  toBeNeutral(): R;
};

declare module 'vitest' {
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown>
    extends ParityMatchers<R> {}
}

type MatcherResult = { readonly pass: boolean; readonly message: () => string };

expect.extend({
  toMatchGolden(received: unknown, golden?: string | Golden, source?: GoldenSource): MatcherResult {
    if (isReport(received)) return judged(received, ['parity']);
    if (typeof received !== 'string' || golden === undefined)
      throw new TypeError('toMatchGolden needs the path of a trace and a golden, or the result of check()');
    const { texts } = diff(golden, received, source);
    const pass = texts.length === 0;
    return { pass, message: () => (pass ? `${received} matches the golden` : texts.join('\n\n')) };
  },
  toBeNeutral(received: unknown): MatcherResult {
    if (!isReport(received)) throw new TypeError('toBeNeutral needs the result of check()');
    return judged(received, ['request neutrality', 'response neutrality']);
  },
});

/** Fails for findings, for a proxy that failed, and if nothing was compared. */
function judged(report: CheckReport, names: readonly (typeof comparisons)[number][]): MatcherResult {
  const verdicts = report.scenarios.flatMap((scenario) =>
    names.flatMap((name): { title: string; verdict: Verdict }[] => {
      const verdict = scenario.comparisons[name];
      return verdict === undefined ? [] : [{ title: `${titleOf(scenario)}, ${name}`, verdict }];
    }),
  );
  const bad = verdicts.filter(({ verdict: { type } }) => type === 'findings' || type === 'failed');
  const pass = bad.length === 0 && verdicts.some(({ verdict }) => verdict.type === 'ok');
  const titles = bad.map(({ title, verdict }) => `${title}: ${verdict.type}`);
  const message = () =>
    pass ? `${report.subject}: ${names.join(' and ')} ok` : [...titles, textReport(report)].join('\n');
  return { pass, message };
}

function isReport(value: unknown): value is CheckReport {
  return typeof value === 'object' && value !== null && 'scenarios' in value && 'parity' in value;
}
