import type { Observation } from '../trace/observation.ts';
import { ConnectionDecoder } from './connection-decoder.ts';
import { type Leg, relayBytes } from './relay-bytes.ts';
import type { TapContext } from './tap.ts';

type ConnectionFacts = Omit<Extract<Observation, { type: 'connection' }>, 'type' | 'connection'>;

/** Numbers a new connection, observes it, and returns the number. */
export function announceConnection(context: TapContext, facts: ConnectionFacts): number {
  const connection = context.nextConnection();
  context.observe({ type: 'connection', connection, ...facts });
  return connection;
}

/** Relays bytes between the two sides of a connection and observes what they carry. Resolves when both are closed. */
export async function tapConnection(
  context: TapContext,
  connection: number,
  client: Leg,
  backend: Leg,
): Promise<void> {
  const { observe, nextExchange, stop } = context;
  const decoder = new ConnectionDecoder({ connection, nextExchange, observe });
  await relayBytes(client, backend, decoder, stop);
}
