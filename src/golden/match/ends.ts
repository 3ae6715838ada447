import type { Exchange } from '../trace/exchanges.ts';
import type { Mismatch } from './mismatch.ts';

type ExchangeEnd = Pick<Exchange, 'connection' | 'request' | 'end'>;

/**
 * Where the official client drops a connection, as when a turn is interrupted, it must be dropped: the backend
 * continues the response until it is. A connection that the backend ended counts as ended, whoever was first. How an
 * imported connection ended is not known.
 */
export function endMismatches(expected: ExchangeEnd, actual: ExchangeEnd): Mismatch[] {
  if (expected.end !== 'client' || actual.end !== undefined || actual.connection.imported !== undefined)
    return [];
  return [
    {
      kind: 'missing',
      places: [{ exchange: expected.request.exchange, side: 'client', part: 'connection', path: [] }],
      expected: { type: 'connection end', by: 'client' },
    },
  ];
}
