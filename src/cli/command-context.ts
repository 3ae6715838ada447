/** What every command receives. */
export type CommandContext = {
  /** Fires on SIGINT, SIGTERM and SIGHUP. */
  readonly signal: AbortSignal;
  /** Sets the exit code of a command that does not throw. */
  readonly exit: (code: number) => void;
};
