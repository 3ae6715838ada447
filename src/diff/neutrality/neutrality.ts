import type { Exchange } from '../../golden/trace/exchanges.ts';
import { byCause } from '../causes.ts';
import { type Finding, findingOf } from '../finding.ts';
import { requestNeutrality, responseNeutrality } from './exchange.ts';
import {
  type LibraryResult,
  type LibraryUse,
  libraryRequestNeutrality,
  libraryResponseNeutrality,
  resultNeutrality,
} from './library.ts';

/**
 * Neutrality in both directions for the official client: the traffic in front of a subject, against the traffic behind
 * it. `supplied` is explained at requestNeutrality.
 */
export function neutralityFindings(
  front: readonly Exchange[],
  back: readonly Exchange[],
  supplied?: ReadonlySet<string>,
): Finding[] {
  const request = requestNeutrality(front, back, supplied);
  const response = responseNeutrality(front, back, request);
  return [
    ...byCause(request).map((mismatch) => findingOf('request neutrality', mismatch)),
    ...byCause(response).map((mismatch) => findingOf('response neutrality', mismatch)),
  ];
}

/**
 * Neutrality in both directions for OpenAI's library: what it returned to its program and, where the surface is the
 * backend's own, the content of requests and responses.
 */
export function libraryFindings(
  front: readonly Exchange[],
  back: readonly Exchange[],
  results: readonly LibraryResult[],
  use: LibraryUse,
): Finding[] {
  const isOwn = use.surface === 'responses';
  const request = isOwn ? libraryRequestNeutrality(front, back) : [];
  const response = isOwn ? libraryResponseNeutrality(front, back) : [];
  return [
    ...byCause(request).map((mismatch) => findingOf('request neutrality', mismatch)),
    ...byCause([...response, ...resultNeutrality(results, back, use)]).map((mismatch) =>
      findingOf('response neutrality', mismatch),
    ),
  ];
}
