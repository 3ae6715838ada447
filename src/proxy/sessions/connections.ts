import type { Connection } from './connection.ts';

/** The upstream connections of a session that are kept for its next turns. The one that was used last is the last. */
export class Connections {
  readonly #kept = new Set<Connection>();
  /** After which a connection takes no new turn, in milliseconds. */
  readonly #age: number;

  constructor(age: number) {
    this.#age = age;
  }

  /** One that can take another turn: the one of the previous response, else the one that was used last. */
  next(account: string, previous: string | undefined): Connection | undefined {
    const oldest = Date.now() - this.#age;
    for (const connection of this.#kept) {
      const fit = connection.openedAt > oldest && connection.account === account;
      if (!fit && connection.usable) this.drop(connection);
    }
    const usable = [...this.#kept].filter((connection) => connection.usable);
    return usable.find(({ last }) => previous !== undefined && last === previous) ?? usable.at(-1);
  }

  keep(connection: Connection): void {
    if (!connection.usable) return;
    if (!this.#kept.delete(connection)) connection.onEnd(() => this.drop(connection));
    this.#kept.add(connection);
  }

  drop(connection: Connection): void {
    connection.end();
    this.#kept.delete(connection);
  }

  /** Ends them all. */
  end(): void {
    for (const connection of this.#kept) this.drop(connection);
  }
}
