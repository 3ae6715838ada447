import type { Golden } from '../golden/golden.ts';
import type { Mismatch } from '../golden/match/mismatch.ts';
import { unify } from '../golden/match/unify.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import { byCause } from './causes.ts';
import { envelopeOf, envelopesOf, isOfFrontEnd, type Surface } from './envelope.ts';
import { type Finding, findingOf } from './finding.ts';
import { untilFailure } from './neutrality/turns.ts';

/**
 * Parity: what went upstream, against the golden. `sent` is what the client sent, where it could not finish: what it
 * did not get to send is not missing.
 */
export function parityFindings(
  golden: Golden,
  upstream: readonly Exchange[],
  sent?: readonly Exchange[],
): Finding[] {
  const mismatches = unify(golden, upstream).filter(
    (mismatch) => sent === undefined || !isUnsent(mismatch, sent),
  );
  return byCause(mismatches).map((mismatch) => findingOf('parity', mismatch));
}

/** Whether a whole message or exchange is missing that the client did not get to send. */
function isUnsent({ kind, places: [place] }: Mismatch, sent: readonly Exchange[]): boolean {
  if (kind !== 'missing' || place === undefined || place.path.length > 0) return false;
  const exchange = sent[place.exchange - 1];
  if (exchange === undefined) return true;
  if (place.part === 'connection') return exchange.end === undefined;
  const messages = exchange.steps.filter((step) => step.type === 'message' && step.from === 'client');
  return place.part === 'message' && place.number > messages.length;
}

/**
 * Parity of everything but content, for a client that is not the official one and uses one API surface, up to the point
 * where the golden shows how the official client handles a failure by itself.
 */
export function envelopeFindings(golden: Golden, upstream: readonly Exchange[], surface: Surface): Finding[] {
  const expected = untilFailure(golden, upstream.length);
  const mismatches = unify(envelopeOf(expected, surface), envelopesOf(upstream, surface));
  return byCause(mismatches.filter((mismatch) => !isOfFrontEnd(golden, mismatch))).map((mismatch) =>
    findingOf('parity', mismatch),
  );
}
