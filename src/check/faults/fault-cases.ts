import type { ClientView } from '../../diff/client-view.ts';
import type { FaultResult, FaultStep, JudgedFault } from '../../diff/judge-view.ts';
import { type FaultKind, faultRules, parseFault } from '../../fault/fault.ts';

/** One fault at one step of a scenario. */
export type FaultCase = Pick<FaultResult, 'step' | 'what' | 'fault'> &
  Pick<JudgedFault, 'mayBeReported' | 'mayBeMended' | 'exchange' | 'message'> & {
    /** The same fault for a client that is connected directly. Such a client has no TLS, and renews no sign-in. */
    readonly directFault: string;
  };

/**
 * What of a failure no other connection can repeat, or no endpoint has to accept. A subject may report it in another way.
 */
const reported: ReadonlySet<FaultKind> = new Set([
  ...(['reset', 'drop', 'half-open', 'stall', 'tls-alert', 'early'] as const),
  ...(['invalid-utf8', 'bad-deflate', 'masking', 'binary', 'oversize'] as const),
]);

/** Faults at every request for a response. */
const atRequests = [
  'status:401',
  'status:429',
  'status:500',
  'reset',
  'drop',
  'half-open',
  'stall',
  'tls-alert',
  'early',
];

/** Faults that happen once. The subject may retry, or leave that to its client. */
const onceAtRequests = ['status:401', 'status:429', 'status:500', 'reset', 'drop'];

/** Faults of the token endpoint. */
const atTokens = ['status:500', 'reset', 'drop', 'half-open', 'stall'];

/** Faults in the TLS handshake. */
const atHandshakes = ['tls-alert', 'reset', 'drop', 'half-open'];

/** Faults within a response. */
const atMessages = [
  ...[
    'reset',
    'drop',
    'half-open',
    'stall',
    'tls-alert',
    'close:1000',
    'close:1011',
    'error:429',
    'error:500',
  ],
  ...['malformed', 'binary', 'oversize:1000000', 'invalid-utf8', 'bad-deflate', 'masking', 'twice'],
];

/** All faults, without their places. */
export const playedFaults: readonly string[] = [
  ...new Set([...atTokens, ...onceAtRequests, ...atRequests, ...atMessages]),
];

/** What decides which faults a subject is played with, and how it may report them. */
export type FaultConditions = {
  /** Whether it may renew a sign-in that has expired. */
  readonly hasTokens: boolean;
  /** Whether it connects to its upstream with TLS. */
  readonly usesTls: boolean;
  /** Whether it has to accept an upgrade before it can make its own. See mustAcceptFirst. */
  readonly acceptsFirst: boolean;
};

/**
 * The faults to play at each step of a scenario, by what a client sees of it directly. Those of step `once` happen once. All others
 * happen on every connection, so that all concurrent sessions have them.
 */
export function faultCases(
  { exchanges }: ClientView,
  { hasTokens, usesTls, acceptsFirst }: FaultConditions,
): FaultCase[] {
  const exchange = exchanges.findIndex(({ status = 0 }) => status < 400);
  const faulty = exchanges[exchange];
  if (faulty === undefined) return [];
  const overHttp = faulty.method === 'POST';
  const at = overHttp ? 'post' : 'upgrade';
  const types = faulty.messages.map(({ type }) => type);
  const lastResponse = types.lastIndexOf('response.created');
  const delta = types.findIndex((type, index) => index > lastResponse && type.endsWith('.delta'));
  const steps = [
    ['first', 1],
    ['middle', (delta < 0 ? lastResponse + 1 : delta) + 1],
    ['last', types.length],
  ] as const;
  const isPlayed = (what: string) => {
    // Within TLS, an alert of the backend has no place.
    if (what === 'tls-alert') return !usesTls;
    return !overHttp || !isWebSocketOnly(what);
  };
  const caseOf = (step: FaultStep, what: string, place: string, message = 0): FaultCase => {
    const fault = `${what}@${place}`;
    const { kind } = parseFault(what);
    return {
      ...{ step, what, fault, directFault: fault, exchange, message },
      mayBeReported: reported.has(kind) || (acceptsFirst && kind === 'status'),
      mayBeMended: step === 'once',
    };
  };
  return [
    // These two fail before the first request, whichever that is.
    ...(usesTls ? atHandshakes : []).map((what) => ({
      ...caseOf('handshake', what, 'handshake:every'),
      ...{ directFault: `${what}@request:every`, exchange: 0 },
    })),
    ...(hasTokens ? atTokens : []).map((what) => ({
      ...caseOf('token', what, 'token:every'),
      ...{ mayBeReported: true, exchange: 0 },
    })),
    ...onceAtRequests.map((what) => caseOf('once', what, at)),
    ...atRequests.filter(isPlayed).map((what) => caseOf('request', what, `${at}:every`)),
    ...steps.flatMap(([step, message]) =>
      atMessages.filter(isPlayed).map((what) => caseOf(step, what, `message:${message}:every`, message)),
    ),
  ];
}

function isWebSocketOnly(what: string): boolean {
  return 'websocketOnly' in faultRules[parseFault(what).kind];
}
