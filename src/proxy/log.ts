/**
 * Where the proxy tells what it does, as fields and a sentence. Neither ever holds a token or a word of a
 * conversation. A logger of pino is one.
 */
export type Logger = Readonly<Record<'debug' | 'info' | 'warn', (fields: object, message: string) => void>>;

/** A logger that hands on the sentences alone. */
export function lineLogger(tell: (line: string) => void): Logger {
  const log = (_: object, message: string) => tell(message);
  return { debug: () => {}, info: log, warn: log };
}

/** The words of a failure, for a log. Errors of the network and of the system have no secrets in their words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
