import type { Golden } from '../golden/golden.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import type { Surface } from './envelope.ts';

/** The traffic of a scenario on the sides of a subject, kept for a reader of the report. */
export type KeptTraffic = {
  /** How OpenAI's library read the responses, in a check that runs both ways. */
  readonly mode?: 'streamed' | 'whole';
  /** What the subject must send upstream. */
  readonly golden: Golden;
  /** What parity compares: everything, or the envelope, of the official client or of a program. */
  readonly compared: 'everything' | 'envelope' | Surface;
  /** Sealed texts that can be read, by their seals: those that the subject made up. */
  readonly texts: ReadonlyMap<string, string>;
  /** Between client and subject. Absent where the subject is the client. */
  readonly front?: readonly Exchange[];
  readonly back: readonly Exchange[];
};
