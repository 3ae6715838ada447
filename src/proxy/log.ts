/**
 * Logs what the proxy does, as fields and a sentence. Neither ever contains a token or text of a conversation. A pino
 * logger fits this type.
 */
export type Logger = Readonly<Record<'debug' | 'info' | 'warn', (fields: object, message: string) => void>>;

/** A logger that prints only the sentences, and none at level debug. */
export function lineLogger(print: (line: string) => void): Logger {
  const log = (_: object, message: string) => print(message);
  return { debug: () => {}, info: log, warn: log };
}

/**
 * The message of an error, for the log. Network and system errors contain no secrets, except a password in the URL of a
 * proxy.
 */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replaceAll(/\/\/[^\s/@]*@/g, '//');
}
