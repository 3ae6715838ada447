import type { Golden } from '../golden/golden.ts';
import type { Mismatch } from '../golden/match/mismatch.ts';
import { unify } from '../golden/match/unify.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import { type Asking, answeredNeutrality, askedNeutrality, type Handed, handedNeutrality } from './asked.ts';
import { byCause } from './causes.ts';
import { envelopeOf, envelopesOf, isOfFrontEnd, type Surface } from './envelope.ts';
import { type Finding, findingOf } from './finding.ts';
import { requestNeutrality, responseNeutrality } from './neutrality.ts';
import { untilTold } from './turns.ts';

/**
 * Parity: what went upstream, against the golden. `said` is what the client had come to say where it was kept from its
 * end: what it left unsaid is not missed.
 */
export function parityFindings(
  golden: Golden,
  upstream: readonly Exchange[],
  said?: readonly Exchange[],
): Finding[] {
  const mismatches = unify(golden, upstream).filter(
    (mismatch) => said === undefined || !isUnsaid(mismatch, said),
  );
  return byCause(mismatches).map((mismatch) => findingOf('parity', mismatch));
}

/** Whether a whole message or exchange is missing that the client had not come to. */
function isUnsaid({ kind, places: [place] }: Mismatch, said: readonly Exchange[]): boolean {
  if (kind !== 'missing' || place === undefined || place.path.length > 0) return false;
  const exchange = said[place.exchange - 1];
  if (exchange === undefined) return true;
  const messages = exchange.steps.filter((step) => step.type === 'message' && step.from === 'client');
  const [, message] = /^client message (\d+)$/.exec(place.part) ?? [];
  if (message !== undefined) return Number(message) > messages.length;
  return place.part === 'connection' && exchange.end === undefined;
}

/**
 * Neutrality in both directions: what was seen in front of a subject, against what was seen behind it; `supplied` as
 * requestNeutrality takes it.
 */
export function neutralityFindings(
  front: readonly Exchange[],
  back: readonly Exchange[],
  supplied?: ReadonlySet<string>,
): Finding[] {
  return [
    ...byCause(requestNeutrality(front, back, supplied)).map((mismatch) =>
      findingOf('request neutrality', mismatch),
    ),
    ...byCause(responseNeutrality(front, back)).map((mismatch) => findingOf('response neutrality', mismatch)),
  ];
}

/**
 * Parity of all that is not content, for a client that is not the official one and asks by a surface: as far as the
 * golden is not about what the official client does of itself with a failure.
 */
export function envelopeFindings(golden: Golden, upstream: readonly Exchange[], surface: Surface): Finding[] {
  const wanted = untilTold(golden, upstream.length);
  const mismatches = unify(envelopeOf(wanted, surface), envelopesOf(upstream, surface));
  return byCause(mismatches.filter((mismatch) => !isOfFrontEnd(golden, mismatch))).map((mismatch) =>
    findingOf('parity', mismatch),
  );
}

/**
 * Neutrality for such a client: the content both ways where the surface is the backend's own, and what the client was
 * handed in the end.
 */
export function contentFindings(
  front: readonly Exchange[],
  back: readonly Exchange[],
  handed: readonly Handed[],
  asking: Asking,
): Finding[] {
  const isOwn = asking.surface === 'responses';
  const asked = isOwn ? askedNeutrality(front, back) : [];
  const answered = isOwn ? answeredNeutrality(front, back) : [];
  return [
    ...byCause(asked).map((mismatch) => findingOf('request neutrality', mismatch)),
    ...byCause([...answered, ...handedNeutrality(handed, back, asking)]).map((mismatch) =>
      findingOf('response neutrality', mismatch),
    ),
  ];
}
