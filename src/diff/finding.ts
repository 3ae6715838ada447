import { type Mismatch, type MismatchKind, placeText } from '../golden/mismatch.ts';
import type { Comparison } from './comparison.ts';
import { explain } from './explain.ts';

/** `error`: the backend treats the request differently; `warning`: it shows that the request is not the official client's. */
export type Severity = 'error' | 'warning';

/** One difference, as it is reported. Texts are for a reader; sealed values stay sealed in them. */
export type Finding = {
  readonly comparison: Comparison;
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

const cosmetic: ReadonlySet<MismatchKind> = new Set(['moved', 'recased', 'respelled', 'reframed']);

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
