/**
 * What several processes of the proxy share: texts under keys, all of which expire. A process that is alone has no shared
 * state: its own maps hold everything.
 *
 * No method rejects, and none takes long. While the state is away, nothing is found and nothing is stored, and the process
 * goes on with what it knows.
 */
export type SharedState = {
  /** The name for the log and the user, without a password. */
  readonly name: string;
  /**
   * Returns the texts under keys; undefined where there is none. `patience`: milliseconds to wait for what is missing
   * while the state is away, and while other processes store again what they could not store. Default: 0.
   */
  readonly get: (keys: readonly string[], patience?: number) => Promise<readonly (string | undefined)[]>;
  /** Stores a text for a time in milliseconds. Returns whether it is stored. */
  readonly set: (key: string, text: string, lifetime: number) => Promise<boolean>;
  /** As `set`, but leaves the text that is there already. Of several processes, one receives `added`. */
  readonly add: (key: string, text: string, lifetime: number) => Promise<'added' | 'exists' | 'away'>;
  /** Gives a key another time, 0 to remove it. With `text`, only while that is what it has. */
  readonly expire: (key: string, lifetime: number, text?: string) => Promise<void>;
  readonly isAway: boolean;
  /** How many calls have failed, or were left out because the state was away. */
  readonly failures: number;
  /** Calls a listener each time that the state is back. Returns what removes it. */
  readonly onReturn: (listener: () => void) => () => void;
  readonly close: () => Promise<void>;
};
