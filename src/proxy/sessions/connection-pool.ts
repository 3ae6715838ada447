import type { UpstreamConnection } from './upstream-connection.ts';

/** The idle and busy connections of a session, least recently used first. Concurrent turns need one connection each. */
export class ConnectionPool {
  readonly #connections = new Set<UpstreamConnection>();
  /** Milliseconds after which a connection gets no new turn. */
  readonly #maximumAge: number;

  constructor(maximumAge: number) {
    this.#maximumAge = maximumAge;
  }

  /**
   * Returns a connection for another turn: the one with the previous response, else the most recently used one. Drops
   * connections that are too old or belong to another account.
   */
  next(account: string, previousResponseId: string | undefined): UpstreamConnection | undefined {
    const oldest = Date.now() - this.#maximumAge;
    for (const connection of this.#connections) {
      const fits = connection.openedAt > oldest && connection.account === account;
      if (!fits && connection.usable) this.drop(connection);
    }
    const usable = [...this.#connections].filter((connection) => connection.usable);
    const previous = usable.find(
      ({ lastResponseId }) => previousResponseId !== undefined && lastResponseId === previousResponseId,
    );
    return previous ?? usable.at(-1);
  }

  keep(connection: UpstreamConnection): void {
    if (!connection.usable) return;
    if (!this.#connections.delete(connection)) connection.onEnd(() => this.drop(connection));
    this.#connections.add(connection);
  }

  drop(connection: UpstreamConnection): void {
    connection.end();
    this.#connections.delete(connection);
  }

  /** Ends all connections. */
  end(): void {
    for (const connection of this.#connections) this.drop(connection);
  }
}
