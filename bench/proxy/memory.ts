import { type Connection, type LoadSession, openConnection } from './load.ts';
import type { Running } from './subjects.ts';

/** Resident memory of the proxy in bytes: with idle sessions, and after many turns. */
export type Memory = {
  readonly idleSessions: number;
  readonly idle: number;
  readonly turns: number;
  readonly afterAQuarter: number;
  readonly afterAll: number;
};

export type MemoryOptions = {
  readonly proxy: Running;
  readonly path: string;
  readonly turns: number;
  readonly newSession: (way: 'websocket' | 'post') => Promise<LoadSession>;
};

const idleSessions = 1000;
const busySessions = 20;

/** Rejects if a turn fails. */
export async function measureMemory({ proxy, path, turns, newSession }: MemoryOptions): Promise<Memory> {
  const connections: Connection[] = [];
  for (let n = 0; n < idleSessions; n += 1) {
    const connection = await openConnection(await newSession('websocket'), proxy.port, path);
    await connection.turn();
    connections.push(connection);
  }
  await idleTime();
  const idle = proxy.memory();
  for (const connection of connections) connection.close();

  const sessions = await Promise.all(
    Array.from({ length: busySessions }, (_, n) => newSession(n % 2 === 0 ? 'post' : 'websocket')),
  );
  const memoryAfter = async (count: number) => {
    await Promise.all(
      sessions.map(async (session) => {
        const connection = await openConnection(session, proxy.port, path);
        for (let n = 0; n < count / busySessions; n += 1) await connection.turn();
        connection.close();
      }),
    );
    await idleTime();
    return proxy.memory();
  };
  const afterAQuarter = await memoryAfter(turns / 4);
  const afterAll = await memoryAfter((turns * 3) / 4);
  return { idleSessions, idle, turns, afterAQuarter, afterAll };
}

/** Waits until the proxy notices that it is idle and returns memory to the system. */
function idleTime(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 26_000));
}
