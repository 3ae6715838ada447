import type { Exchange } from '../golden/dialogue.ts';
import type { Golden } from '../golden/golden.ts';
import { unify } from '../golden/unify.ts';
import { type Finding, findingOf } from './finding.ts';
import { requestNeutrality, responseNeutrality } from './neutrality.ts';

/** Parity: what went upstream, against the golden. */
export function parityFindings(golden: Golden, upstream: readonly Exchange[]): Finding[] {
  return unify(golden, upstream).map((mismatch) => findingOf('parity', mismatch));
}

/** Neutrality in both directions: what was seen in front of a subject, against what was seen behind it. */
export function neutralityFindings(front: readonly Exchange[], back: readonly Exchange[]): Finding[] {
  return [
    ...requestNeutrality(front, back).map((mismatch) => findingOf('request neutrality', mismatch)),
    ...responseNeutrality(front, back).map((mismatch) => findingOf('response neutrality', mismatch)),
  ];
}
