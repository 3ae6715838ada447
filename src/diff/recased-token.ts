import type { Difference, Place } from '../golden/match/mismatch.ts';

/** Headers whose values are case-insensitive (RFC 9110, sections 7.6.1, 7.8, 8.3.1, 8.4.1, 10.1 and 12.5; RFC 9112, 7). */
const caseInsensitive: ReadonlySet<string> = new Set([
  ...['connection', 'upgrade', 'transfer-encoding', 'te', 'expect', 'host'],
  ...['accept-encoding', 'content-encoding', 'content-type', 'accept'],
]);

/** Whether a place is in the head of a request or response, and not inside a JSON document there. */
export function isHead({ part, path }: Place): boolean {
  return (part === 'handshake' || part === 'response') && path.length <= 1;
}

/** Whether the values of a header differ only in capitalisation, which its receiver ignores. */
export function isRecasedToken(difference: Difference, place: Place): boolean {
  if (difference.kind !== 'changed' || !isHead(place)) return false;
  if (!caseInsensitive.has(String(place.path[0]).toLowerCase())) return false;
  const { expected, actual } = difference;
  if (expected.type !== 'json' || actual.type !== 'json') return false;
  const [before, after] = [expected.node, actual.node];
  return (
    before.kind === 'string' &&
    after.kind === 'string' &&
    before.value.toLowerCase() === after.value.toLowerCase()
  );
}
