import type { ClientView } from '../../diff/client-view.ts';
import type { FaultResult, JudgedFault } from '../../diff/judge-view.ts';
import { type FaultKind, faultRules, parseFault } from '../../fault/fault.ts';

/** One fault at one step of a scenario. */
export type FaultCase = Pick<FaultResult, 'step' | 'what' | 'fault'> &
  Pick<JudgedFault, 'mayBeReported' | 'exchange' | 'message'>;

/**
 * What of a failure no other connection can repeat, or no endpoint has to accept. A subject may report it in another way.
 */
const reported: ReadonlySet<FaultKind> = new Set([
  ...(['reset', 'drop', 'half-open', 'stall', 'tls-alert', 'early'] as const),
  ...(['invalid-utf8', 'bad-deflate', 'masking', 'binary', 'oversize'] as const),
]);

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
export const playedFaults: readonly string[] = [...new Set([...atRequests, ...atMessages])];

/**
 * The faults to play at each step of a scenario, by what a client sees of it directly. Each happens on every connection, so that
 * all concurrent sessions have it.
 */
export function faultCases({ exchanges }: ClientView): FaultCase[] {
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
  const kinds = atMessages.filter((what) => !overHttp || !isWebSocketOnly(what));
  const caseOf = (step: FaultCase['step'], what: string, message: number): FaultCase => {
    const place = step === 'request' ? at : `message:${message}`;
    const mayBeReported = reported.has(parseFault(what).kind);
    return { step, what, fault: `${what}@${place}:every`, mayBeReported, exchange, message };
  };
  return [
    ...atRequests.map((what) => caseOf('request', what, 0)),
    ...steps.flatMap(([step, message]) => kinds.map((what) => caseOf(step, what, message))),
  ];
}

function isWebSocketOnly(what: string): boolean {
  return 'websocketOnly' in faultRules[parseFault(what).kind];
}
