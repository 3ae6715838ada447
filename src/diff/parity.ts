import type { Golden } from '../golden/golden.ts';
import type { Mismatch } from '../golden/match/mismatch.ts';
import { unify } from '../golden/match/unify.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import { variablesFromBackend } from '../golden/trace/variable-uses.ts';
import { byCause } from './causes.ts';
import { envelopeOf, envelopesOf, isOfFrontEnd, type Surface } from './envelope.ts';
import { type Finding, findingOf } from './finding.ts';
import { untilFailure } from './neutrality/turns.ts';
import { withoutPassedOn } from './passed-on.ts';

/** What the client in front of a subject sent, and whether it could finish. */
export type ClientTraffic = { readonly sent: readonly Exchange[]; readonly finished: boolean };

/**
 * Parity: what went upstream, against the golden. With the traffic of the client, neither what it did not get to send is
 * missing, nor is the subject blamed for values that the client was given wrong.
 */
export function parityFindings(
  golden: Golden,
  upstream: readonly Exchange[],
  client?: ClientTraffic,
): Finding[] {
  const given = variablesFromBackend(golden.exchanges);
  const mismatches = unify(golden, upstream).flatMap((mismatch): Mismatch[] => {
    if (client === undefined) return [mismatch];
    if (!client.finished && isUnsent(mismatch, client.sent)) return [];
    const left = withoutPassedOn(mismatch, given, client.sent);
    return left === undefined ? [] : [left];
  });
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
