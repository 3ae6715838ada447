import type { Finding } from '../diff/finding.ts';

/** What a report tells: who was checked, and for each scenario what was found. */
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
