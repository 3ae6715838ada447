import type { Difference, Mismatch, Place } from '../golden/match/mismatch.ts';

/**
 * `error`: the backend or the client treats the message differently; `warning`: it only shows that the sender is not the
 * official client, or the official backend.
 */
export type Severity = 'error' | 'warning';

type WarningRule = {
  readonly kind: Difference['kind'];
  /** Which differences of the kind are without effect; all if absent. */
  readonly applies?: (difference: Difference, place: Place) => boolean;
};

/** The differences without effect. All others are errors. */
const warnings: readonly WarningRule[] = [
  // The order of header fields with different names does not matter (RFC 9110, section 5.3), nor that of JSON members
  // (RFC 8259, section 4). The order of list items does.
  { kind: 'moved', applies: (difference) => 'order' in difference },
  // Header names are case-insensitive (RFC 9110, section 5.1); JSON keys are not.
  { kind: 'recased', applies: (_, place) => isHead(place) },
  { kind: 'respelled' },
  // Compression and fragments are undone by the receiver. Text and binary messages differ, and so do broken bodies.
  { kind: 'reframed', applies: (difference) => 'aspect' in difference && transparent.has(difference.aspect) },
  { kind: 'changed', applies: (difference, place) => isHead(place) && isRecasedToken(difference, place) },
];

const transparent: ReadonlySet<string> = new Set(['compressed', 'fragments']);

/** Headers whose values are case-insensitive (RFC 9110, sections 7.6.1, 7.8, 8.3.1, 8.4.1, 10.1 and 12.5; RFC 9112, 7). */
const caseInsensitive: ReadonlySet<string> = new Set([
  ...['connection', 'upgrade', 'transfer-encoding', 'te', 'expect', 'host'],
  ...['accept-encoding', 'content-encoding', 'content-type', 'accept'],
]);

/** The severity of a mismatch, decided by its effect. */
export function severityOf(mismatch: Mismatch): Severity {
  const isWarning = mismatch.places.every((place) =>
    warnings.some(({ kind, applies }) => kind === mismatch.kind && (applies?.(mismatch, place) ?? true)),
  );
  return isWarning ? 'warning' : 'error';
}

/** Whether a place is in the head of a request or response, and not inside a JSON document there. */
function isHead({ part, path }: Place): boolean {
  return (part === 'handshake' || part === 'response') && path.length <= 1;
}

function isRecasedToken(difference: Difference, { path }: Place): boolean {
  if (difference.kind !== 'changed' || !caseInsensitive.has(String(path[0]).toLowerCase())) return false;
  const { expected, actual } = difference;
  if (expected.type !== 'json' || actual.type !== 'json') return false;
  const [before, after] = [expected.node, actual.node];
  return (
    before.kind === 'string' &&
    after.kind === 'string' &&
    before.value.toLowerCase() === after.value.toLowerCase()
  );
}
