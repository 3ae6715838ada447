import type { HeaderList } from '../../wire/headers.ts';
import { type JsonNode, toNode } from '../../wire/json.ts';

/** An error that the SDK threw. For a lost connection it has a message only. */
export type SdkFailure = {
  readonly message: string;
  readonly status?: number;
  readonly headers: HeaderList;
  /** The value under "error" in the body. */
  readonly error?: JsonNode;
};

/** Converts an error of the SDK. Rethrows what is not an Error. */
export function sdkFailure(thrown: unknown): SdkFailure {
  if (!(thrown instanceof Error)) throw thrown;
  const message = thrown.message.replaceAll(/\s+/g, ' ');
  const [status, headers, error] = ['status', 'headers', 'error'].map((key) => Reflect.get(thrown, key));
  return {
    message,
    ...(typeof status === 'number' ? { status } : {}),
    headers: headers instanceof Headers ? [...headers] : [],
    ...(error === undefined || error === null ? {} : { error: toNode(error) }),
  };
}
