import { neutralityFindings } from '../../src/diff/neutrality/neutrality.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import type { Golden } from '../../src/golden/golden.ts';
import type { Mismatch } from '../../src/golden/match/mismatch.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import { type Area, type MutatedPlace, requestOperators } from './request-operators.ts';
import { responseOperators } from './response-operators.ts';
import { partName } from './sites.ts';

/** A mutated session: what is wrong in it, and where. */
export type Mutation = {
  readonly area: Area;
  readonly operator: string;
  /** The number of the mutated exchange. */
  readonly exchange: number;
  readonly places: readonly MutatedPlace[];
  readonly findings: () => readonly Mismatch[];
};

/** How a mutation was caught, and with how many findings. */
export type Judgement = {
  readonly verdict: 'at its place' | 'elsewhere' | 'missed';
  readonly findings: number;
};

/** Every mutation of a session: of each of its requests, of each of its responses, and of its connections. */
export function mutationsOf(
  golden: Golden,
  official: readonly Exchange[],
  other: readonly Exchange[],
): Mutation[] {
  return official.flatMap((exchange, index): Mutation[] => {
    const counterpart = other[index];
    if (counterpart === undefined) return [];
    const number = index + 1;
    const session = official.toSpliced(index, 1);
    const requests = requestOperators(exchange, counterpart, session).flatMap(({ area, name, mutants }) =>
      mutants.map(
        ({ places, mutate }): Mutation => ({
          ...{ area, operator: name, exchange: number, places },
          findings: () => parityFindings(golden, official.with(index, mutate())),
        }),
      ),
    );
    const responses = responseOperators(exchange).flatMap(({ area, name, mutants }) =>
      mutants.map(
        ({ places, mutate }): Mutation => ({
          ...{ area, operator: name, exchange: number, places },
          findings: () =>
            neutralityFindings(official.with(index, mutate()), official).filter(isResponseNeutrality),
        }),
      ),
    );
    return [...requests, ...responses, ...socketMutations(golden, official, index)];
  });
}

function isResponseNeutrality({ comparison }: { readonly comparison: string }): boolean {
  return comparison === 'response neutrality';
}

/** A whole exchange that is missing or sent twice; a connection that is kept or offers other protocols. */
function socketMutations(golden: Golden, official: readonly Exchange[], index: number): Mutation[] {
  const exchange = official[index];
  if (exchange === undefined) return [];
  const mutation = (operator: string, part: string, exchanges: readonly Exchange[]): Mutation => ({
    ...{ area: 'sockets', operator, exchange: index + 1, places: [{ part, names: [] }] },
    findings: () => parityFindings(golden, exchanges),
  });
  const { connection, end, ...rest } = exchange;
  return [
    mutation('drop an exchange', 'exchange', official.toSpliced(index, 1)),
    mutation('send an exchange twice', 'exchange', official.toSpliced(index, 0, exchange)),
    ...(end === 'client'
      ? [mutation('keep a dropped connection', 'connection', official.with(index, { ...rest, connection }))]
      : []),
    ...(connection.tls === null
      ? []
      : [
          mutation(
            'offer another ALPN protocol',
            'handshake',
            official.with(index, {
              ...exchange,
              connection: {
                ...connection,
                tls: { ...connection.tls, offered: ['h2', ...connection.tls.offered] },
              },
            }),
          ),
        ]),
  ];
}

export function judge(mutation: Mutation): Judgement {
  const findings = mutation.findings();
  if (findings.length === 0) return { verdict: 'missed', findings: 0 };
  const atPlace = findings.some((finding) => isAtPlace(finding, mutation));
  return { verdict: atPlace ? 'at its place' : 'elsewhere', findings: findings.length };
}

/**
 * Whether a finding names the mutated place or something below it. A finding about a whole list of names, or about a
 * whole document of turn metadata, names every place in it.
 */
function isAtPlace(finding: Mismatch, { exchange, places, operator }: Mutation): boolean {
  const isWhole =
    ('order' in finding && finding.order.moved.length > 1) ||
    (finding.kind === 'recased' && finding.names.length > 1) ||
    (finding.kind === 'changed' && finding.expected.type === 'members');
  return places.some(({ part, names }) =>
    finding.places.some((place) => {
      // Of two equal exchanges either may be the added one.
      const near = operator.endsWith('an exchange') || operator.endsWith('exchange twice') ? 1 : 0;
      if (partName(place) !== part || Math.abs(place.exchange - exchange) > near) return false;
      const path = place.path.map(String);
      const isBelow = names.every((name, depth) => path[depth] === name);
      return isBelow || (isWhole && path.every((name, depth) => names[depth] === name));
    }),
  );
}
