/** What every command is given. */
export type CommandContext = {
  /** Fires on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** Sets the exit code of a command that went well. */
  readonly exit: (code: number) => void;
};
