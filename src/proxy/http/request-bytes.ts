import { ApiError, proxyError } from './errors.ts';

/** Counts the bytes of all requests that are read and served at the same time. */
export class RequestBytes {
  readonly #limit: number;
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get held(): number {
    return this.#held;
  }

  /** The bytes that further requests may have at present. */
  get free(): number {
    return Math.max(0, this.#limit - this.#held);
  }

  /** Begins to count the bytes of one request, or of the messages of one connection. */
  open(): HeldBytes {
    let own = 0;
    let reading = 0;
    const add = (bytes: number) => {
      own += bytes;
      this.#held += bytes;
    };
    return {
      read: (bytes) => {
        // A request alone has its own limit.
        if (own < this.#held && bytes > this.free) throw tooManyBytes();
        reading += bytes;
        add(bytes);
      },
      complete: () => {
        const message = reading;
        reading = 0;
        return () => add(-Math.min(message, own));
      },
      release: () => {
        reading = 0;
        add(-own);
      },
    };
  }
}

/** The bytes of one request, or of the messages of one connection. */
export type HeldBytes = {
  /** Adds bytes that were read. Throws ApiError if all requests have too many. */
  readonly read: (bytes: number) => void;
  /** Says that a message is complete. Returns a function that forgets its bytes. */
  readonly complete: () => () => void;
  /** Forgets all bytes. */
  readonly release: () => void;
};

export const tooManyBytesCode = 'too_many_bytes';

/** The status stands for a state that passes, so OpenAI's libraries and the official client try again. */
function tooManyBytes(): ApiError {
  const message = 'the proxy serves as many large requests as it can: try again in a few seconds';
  const { status, error } = proxyError(503, tooManyBytesCode, message);
  return new ApiError(status, error, [['retry-after', '2']]);
}
