import type { Run } from './tiers.ts';
import { type AskedTier, askedTiers } from './turn.ts';

/** How often each value occurred; null stands for an absent one. */
export type Tally = readonly { readonly value: string | null; readonly count: number }[];

/** All turns with one tier. Times in milliseconds; null where no turn was measured. */
export type TierSummary = {
  readonly asked: AskedTier;
  readonly sentTiers: Tally;
  readonly sentHints: Tally;
  /** What the backend called the tier in `response.completed`. It proves nothing. */
  readonly echoed: Tally;
  readonly runs: number;
  /** Why each of the turns that failed did; they are in no median. */
  readonly failures: readonly string[];
  readonly firstTokenMs: number | null;
  readonly totalMs: number | null;
};

/** The tiers side by side. */
export function summarise(runs: readonly Run[]): TierSummary[] {
  return askedTiers.map((asked) => {
    const own = runs.filter((run) => run.asked === asked);
    const turns = own.map(({ turn }) => turn);
    const measured = turns.filter((turn) => turn.kind === 'measured');
    return {
      asked,
      sentTiers: tally(own.flatMap(({ sent }) => sent.tiers)),
      sentHints: tally(own.flatMap(({ sent }) => sent.hints)),
      echoed: tally(measured.map(({ echoed }) => echoed)),
      runs: own.length,
      failures: turns.flatMap((turn) => (turn.kind === 'failed' ? [turn.reason] : [])),
      firstTokenMs: median(measured.map(({ firstToken }) => firstToken)),
      totalMs: median(measured.map(({ total }) => total)),
    };
  });
}

/** The middle of the values, or the mean of the two in the middle; null of none. */
export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((one, other) => one - other);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

/**
 * Where what was sent is not what was asked, one sentence each: a request with another tier, a routing hint that names
 * another one, or an answer to what was never sent. A client without routing hints (before 0.149, with an API key) may
 * have none.
 */
export function findingsIn(summaries: readonly TierSummary[]): string[] {
  return summaries.flatMap(({ asked, sentTiers, sentHints, runs, failures }) => {
    const wanted = asked === 'omitted' ? null : asked;
    const wrong = (what: string, of: Tally, one: (value: string | null) => boolean) =>
      of
        .filter(({ value }) => one(value))
        .map(
          ({ value, count }) =>
            `${asked} was asked for, and ${what} ${value ?? 'absent'} was sent in ${count} of ${total(of)} requests`,
        );
    if (sentTiers.length === 0 && runs > failures.length)
      return [`${asked} was asked for, and nothing was seen to be sent`];
    return [
      ...wrong('service_tier', sentTiers, (value) => value !== wanted),
      ...wrong('routing hint', sentHints, (value) => value !== null && tierIn(value) !== wanted),
    ];
  });
}

/** The tier that a routing hint names: `model=M;tier=priority` (measured: codex 0.169.0, scenario fast). */
function tierIn(hint: string): string | null {
  return /;tier=([^;]*)/.exec(hint)?.[1] ?? null;
}

export function total(of: Tally): number {
  return of.reduce((sum, { count }) => sum + count, 0);
}

function tally(values: readonly (string | null)[]): Tally {
  return [...new Set(values)].map((value) => ({
    value,
    count: values.filter((one) => one === value).length,
  }));
}
