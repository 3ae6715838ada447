import { comparisons as allComparisons, type Comparison } from './comparison.ts';
import { type Finding, isOf } from './finding.ts';
import type { LiveInformation } from './live.ts';
import type { VersionFit } from './version-fit.ts';

/** The result of a scenario, or of one comparison in it. */
export type Verdict = { readonly type: 'ok' } | { readonly type: 'findings' } | NoVerdict;

/** Why a comparison was not made, or not to its end. */
export type NoVerdict =
  | { readonly type: 'not checked'; readonly reason: string }
  /** The subject died, or did not finish in time. The reason ends with the last line that it printed, if it is known. */
  | {
      readonly type: 'failed';
      readonly reason: string;
      /** The reason why that is accepted, from the baseline. */
      readonly accepted?: string;
    };

/** The verdicts of the comparisons that are made: parity alone where the subject is a client, which passes nothing on. */
export type ComparisonVerdicts = { readonly parity: Verdict } & Readonly<
  Partial<Record<Comparison, Verdict>>
>;

/** What came out of a scenario. */
export type ScenarioVerdict = {
  readonly verdict: Verdict;
  readonly comparisons: ComparisonVerdicts;
  readonly findings: readonly Finding[];
  readonly client?: ClientDifferences;
  /** What a client under test has of its own: it is listed, and not judged. */
  readonly information?: readonly LiveInformation[];
  /** Which version the subject looks like, where its requests differ. */
  readonly sender?: VersionFit;
  /** The TLS libraries that its connections look like, where the ClientHello is compared. */
  readonly tls?: readonly string[];
  /** The traces that it kept; two of them with OpenAI's library, which runs in two modes. */
  readonly traces?: readonly KeptTraces[];
};

/** Paths of the traces of a scenario. */
export type KeptTraces = {
  readonly mode?: 'streamed' | 'whole';
  /** Between client and subject. Absent where the subject is the client. */
  readonly client?: string;
  /** Between subject and backend. */
  readonly upstream: string;
};

/** Differences between the golden and what the client itself sent. Parity leaves them out. */
export type ClientDifferences = {
  readonly count: number;
  /** The model that it used, if it is another one. */
  readonly model?: string;
};

/** The verdict of every comparison that was not made to its end. */
export type Unfinished = Readonly<Partial<Record<Comparison, NoVerdict>>>;

/** The same for every comparison. */
export function allUnfinished(verdict: NoVerdict): Unfinished {
  return { parity: verdict, 'request neutrality': verdict, 'response neutrality': verdict };
}

/**
 * Judges a scenario by the comparisons that were to be made. Without a finding, a comparison is only ok if it was made to its
 * end.
 */
export function verdictOf(
  findings: readonly Finding[],
  unfinished: Unfinished,
  made: readonly Comparison[] = allComparisons,
): ScenarioVerdict {
  const judge = (comparison: Comparison): Verdict =>
    findings.some((finding) => isOf(comparison, finding))
      ? { type: 'findings' }
      : (unfinished[comparison] ?? { type: 'ok' });
  const comparisons: ComparisonVerdicts = {
    parity: judge('parity'),
    ...Object.fromEntries(made.map((comparison) => [comparison, judge(comparison)])),
  };
  // From the worst to the best: a scenario is not checked only if nothing in it was.
  const all: readonly Verdict[] = [...Object.values(unfinished), ...Object.values(comparisons)];
  const verdict =
    all.find(({ type }) => type === 'failed') ??
    all.find(({ type }) => type === 'findings') ??
    all.find(({ type }) => type === 'ok') ??
    comparisons.parity;
  return { verdict, comparisons, findings };
}
