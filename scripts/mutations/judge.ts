import { neutralityFindings } from '../../src/diff/neutrality/neutrality.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import type { Golden } from '../../src/golden/golden.ts';
import { Matcher } from '../../src/golden/match/matcher.ts';
import type { Mismatch, Place } from '../../src/golden/match/mismatch.ts';
import { kinds } from '../../src/golden/pattern/kinds.ts';
import { clientJson, type Exchange } from '../../src/golden/trace/exchanges.ts';
import { type Area, type MutatedPlace, requestOperators } from './request-operators.ts';
import { responseOperators } from './response-operators.ts';
import { partName } from './sites.ts';

/** A mutated session: what is wrong in it, and where. */
export type Mutation = {
  readonly area: Area;
  readonly operator: string;
  /** The number of the mutated exchange, and those of equal ones: of retries either may be the missing one. */
  readonly exchanges: ReadonlySet<number>;
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
    const surroundings = { session: official.toSpliced(index, 1), free: freeIdentifiers(golden, official) };
    const requests = requestOperators(exchange, counterpart, surroundings).flatMap(
      ({ area, name, mutants }) =>
        mutants.map(
          ({ places, mutate }): Mutation => ({
            ...{ area, operator: name, exchanges: new Set([number]), places },
            findings: () => parityFindings(golden, official.with(index, mutate())),
          }),
        ),
    );
    const responses = responseOperators(exchange).flatMap(({ area, name, mutants }) =>
      mutants.map(
        ({ places, mutate }): Mutation => ({
          ...{ area, operator: name, exchanges: new Set([number]), places },
          findings: () =>
            neutralityFindings(official.with(index, mutate()), official).filter(isResponseNeutrality),
        }),
      ),
    );
    return [...requests, ...responses, ...socketMutations(golden, official, index)];
  });
}

/** The identifiers that are in no set of distinct ones: they may equal others. */
function freeIdentifiers(
  { variables, exchanges }: Golden,
  official: readonly Exchange[],
): ReadonlySet<string> {
  const free = new Set<string>();
  const matcher = new Matcher(variables, {
    mismatch: () => {},
    occurrence: (name, value) => {
      const variable = variables.get(name);
      if (variable?.distinct === undefined && variable !== undefined && kinds[variable.kind].isIdentifier)
        free.add(value);
    },
  });
  const place: Place = { exchange: 1, side: 'client', part: 'exchange', path: [] };
  for (const [index, { request, steps }] of exchanges.entries()) {
    const run = official[index];
    if (run === undefined) continue;
    matcher.fields(request.headers, run.request.headers, place);
    for (const [at, step] of steps.entries()) {
      const [expected, actual] = [clientJson(step), clientJson(run.steps[at] ?? step)];
      if (expected !== undefined && actual !== undefined) matcher.node(expected, actual, place);
    }
  }
  return free;
}

function isResponseNeutrality({ comparison }: { readonly comparison: string }): boolean {
  return comparison === 'response neutrality';
}

/** A whole exchange that is missing or sent twice; a connection that is kept or offers other protocols. */
function socketMutations(golden: Golden, official: readonly Exchange[], index: number): Mutation[] {
  const exchange = official[index];
  if (exchange === undefined) return [];
  const form = ({ request, steps }: Exchange) =>
    JSON.stringify([request.method, steps.map((step) => step.type !== 'response' && step.from)]);
  const alike = new Set(
    official.flatMap((one, at) => (form(one) === form(exchange) ? [at + 1, at + 2] : [])),
  );
  const mutation = (operator: string, part: string, exchanges: readonly Exchange[]): Mutation => ({
    ...{ area: 'sockets', operator, exchanges: alike, places: [{ part, names: [] }] },
    findings: () => parityFindings(golden, exchanges),
  });
  const { connection, end, ...rest } = exchange;
  return [
    mutation('drop an exchange', 'exchange', official.toSpliced(index, 1)),
    mutation('send an exchange twice', 'exchange', official.toSpliced(index, 0, exchange)),
    ...(end === 'client'
      ? [mutation('keep a dropped connection', 'connection', official.with(index, { ...rest, connection }))]
      : []),
    ...(connection.tls
      ? [
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
        ]
      : []),
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
function isAtPlace(finding: Mismatch, { exchanges, places }: Mutation): boolean {
  const isWhole =
    ('order' in finding && finding.order.moved.length > 1) ||
    (finding.kind === 'recased' && finding.names.length > 1) ||
    (finding.kind === 'changed' && finding.expected.type === 'members');
  return places.some(({ part, names }) =>
    finding.places.some((place) => {
      if (partName(place) !== part || !exchanges.has(place.exchange)) return false;
      const path = place.path.map(String);
      const isBelow = names.every((name, depth) => path[depth] === name);
      return isBelow || (isWhole && path.every((name, depth) => names[depth] === name));
    }),
  );
}
