import type { Exchange } from '../trace/exchanges.ts';
import type { Mismatch } from './mismatch.ts';

type Ended = Pick<Exchange, 'request' | 'end'>;

/**
 * A connection that the official client drops must be dropped, as one on which a turn was interrupted: the backend
 * goes on answering until it is. One that the backend ended is ended, whoever was first to do so.
 */
export function endMismatches(expected: Ended, actual: Ended): Mismatch[] {
  if (expected.end !== 'client' || actual.end !== undefined) return [];
  return [
    {
      kind: 'missing',
      places: [{ exchange: expected.request.exchange, side: 'client', part: 'connection', path: [] }],
      expected: { type: 'connection end', by: 'client' },
    },
  ];
}
