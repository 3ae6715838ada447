import type { Mismatch } from '../golden/match/mismatch.ts';
import type { Comparison } from './comparison.ts';

/** A mismatch with its verdict. Only report/ turns it into sentences. Sealed values stay sealed. */
export type Finding = Mismatch & {
  readonly comparison: Comparison;
  /** The other comparisons that show the same mismatch. */
  readonly also?: readonly Comparison[];
  /** What is known of its origin, where the mismatch alone does not show it. */
  readonly cause?: FindingCause;
  /** The reason why it is accepted, from the baseline. It does not count for the exit code. */
  readonly accepted?: string;
};

export type FindingCause =
  /** No request reached the backend, which the subject was to reach at `url`. */
  | { readonly type: 'nothing upstream'; readonly subject: string; readonly url: string }
  /** Credentials that are not of the sign-in that the subject was given. */
  | { readonly type: 'foreign credentials' }
  /** A difference that follows from a request over HTTP, where the official client opens a websocket. */
  | { readonly type: 'http' }
  /** A response that the subject wrote anew instead of passing it on. */
  | { readonly type: 'rebuilt response' }
  /** What another version sends, which the subject says it is. */
  | { readonly type: 'other version'; readonly version: string };

export function findingOf(comparison: Comparison, mismatch: Mismatch): Finding {
  return { comparison, ...mismatch };
}

/** The findings of two comparisons. What both show becomes one finding. */
export function together(findings: readonly Finding[], others: readonly Finding[]): Finding[] {
  const keys = new Set(findings.map(placesKey));
  const same = Map.groupBy(others, placesKey);
  const merged = findings.map((finding): Finding => {
    const also = same.get(placesKey(finding))?.map(({ comparison }) => comparison);
    return also === undefined ? finding : { ...finding, also };
  });
  return [...merged, ...others.filter((other) => !keys.has(placesKey(other)))];
}

/** The same for mismatches of one kind at the same places. */
export function placesKey({ kind, places }: Mismatch): string {
  return JSON.stringify([
    kind,
    places.map((place) => [
      place.exchange,
      place.side,
      place.part,
      'number' in place ? place.number : 0,
      place.path,
      place.mode,
    ]),
  ]);
}

/** Whether a comparison shows a finding. */
export function isOf(comparison: Comparison, finding: Finding): boolean {
  return finding.comparison === comparison || (finding.also?.includes(comparison) ?? false);
}
