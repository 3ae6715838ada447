import { type Mismatch, type MismatchKind, placeText } from '../golden/match/mismatch.ts';
import type { Comparison } from './comparison.ts';
import { cosmetic, explain } from './explain.ts';

/**
 * `error`: the backend treats the request differently; `warning`: it shows that the request is not the official
 * client's.
 */
export type Severity = 'error' | 'warning';

/** One difference, as it is reported. Texts are for a reader; sealed values stay sealed in them. */
export type Finding = {
  readonly comparison: Comparison;
  /** The comparisons that show the same too. */
  readonly also?: readonly Comparison[];
  readonly kind: MismatchKind;
  readonly severity: Severity;
  /** Where: the first place, and all of them where one cause shows at several. */
  readonly place: string;
  readonly places: readonly string[];
  readonly expected: string | null;
  readonly actual: string | null;
  /** What follows from it, in one sentence. */
  readonly why: string;
};

/** The findings of one comparison and of another; what both show is one finding. */
export function together(findings: readonly Finding[], others: readonly Finding[]): Finding[] {
  const same = (one: Finding, other: Finding) =>
    one.kind === other.kind && one.places.join('\n') === other.places.join('\n');
  const left = others.filter((other) => !findings.some((one) => same(one, other)));
  const told = findings.map((one): Finding => {
    const also = others.filter((other) => same(one, other)).map(({ comparison }) => comparison);
    return also.length === 0 ? one : { ...one, also };
  });
  return [...told, ...left];
}

/** Whether a comparison shows a finding. */
export function isOf(comparison: Comparison, finding: Finding): boolean {
  return finding.comparison === comparison || (finding.also?.includes(comparison) ?? false);
}

export function findingOf(comparison: Comparison, mismatch: Mismatch): Finding {
  const places = mismatch.places.map(placeText);
  return {
    comparison,
    kind: mismatch.kind,
    severity: cosmetic.has(mismatch.kind) ? 'warning' : 'error',
    place: places[0] ?? 'the whole exchange',
    places,
    expected: mismatch.expected,
    actual: mismatch.actual,
    why: explain(comparison, mismatch),
  };
}
