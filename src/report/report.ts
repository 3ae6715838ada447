import type { Finding } from '../diff/finding.ts';

/** The results of a check: the subject, and the findings of each scenario. */
export type Report = {
  readonly subject: string;
  readonly driver: string;
  readonly scenarios: readonly {
    readonly codex: string;
    readonly lane: string;
    readonly scenario: string;
    readonly findings: readonly Finding[];
  }[];
};
