import type { Observation } from '../trace/observation.ts';
import { ConnectionDecoder } from './connection-decoder.ts';
import { type Leg, relayBytes } from './relay-bytes.ts';
import type { TapContext } from './tap.ts';

type ConnectionFacts = Omit<Extract<Observation, { type: 'connection' }>, 'type' | 'connection'>;

/** Gives a new connection its number and tells it; returns the number. */
export function announce(context: TapContext, facts: ConnectionFacts): number {
  const connection = context.nextConnection();
  context.observe({ type: 'connection', connection, ...facts });
  return connection;
}

/** Passes bytes between the two sides of a connection and tells what they say. Resolves when both are closed. */
export async function tapConnection(
  context: TapContext,
  connection: number,
  client: Leg,
  backend: Leg,
): Promise<void> {
  const { observe, nextExchange, stop } = context;
  await relayBytes(client, backend, new ConnectionDecoder({ connection, nextExchange, observe }), stop);
}
