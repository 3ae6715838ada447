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
export type ClientTraffic = {
  readonly sent: readonly Exchange[];
  readonly finished: boolean;
  /** What the client sends differently by itself. */
  readonly own?: readonly Mismatch[];
};

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
  const own = new Set(client?.own?.map((mismatch) => JSON.stringify(mismatch)));
  const mismatches = unify(golden, upstream).flatMap((mismatch): Mismatch[] => {
    if (client === undefined) return [mismatch];
    if (own.has(JSON.stringify(mismatch))) return [];
    if (!client.finished && isUnsent(mismatch, client.sent)) return [];
    const left = withoutPassedOn(mismatch, given, client.sent);
    return left === undefined ? [] : [left];
  });
  return byCause(mismatches).map((mismatch) => findingOf('parity', mismatch));
}

/**
 * What goes upstream differently because the official client itself sends it so, as models that the subject lists make it
 * do. Headers that it leaves out and frames are not its own difference: they follow from the proxy that it is pointed at.
 */
export function clientDifferences(
  golden: Golden,
  front: readonly Exchange[],
  upstream: readonly Exchange[],
): Mismatch[] {
  const passedOn = new Set(unify(golden, upstream).map((mismatch) => JSON.stringify(mismatch)));
  return unify(golden, front).filter(
    (mismatch) => passedOn.has(JSON.stringify(mismatch)) && !isOfConnection(mismatch),
  );
}

function isOfConnection({ kind, places }: Mismatch): boolean {
  const isHeader = places.every(({ part, path }) => part === 'handshake' && path.length === 1);
  return kind === 'reframed' || (kind === 'missing' && isHeader);
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
  const expected = untilFailure(golden, upstream);
  const mismatches = unify(envelopeOf(expected, surface), envelopesOf(upstream, surface));
  return byCause(mismatches.filter((mismatch) => !isOfFrontEnd(golden, mismatch))).map((mismatch) =>
    findingOf('parity', mismatch),
  );
}
