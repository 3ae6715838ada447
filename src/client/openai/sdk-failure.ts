import type { HeaderList } from '../../wire/headers.ts';
import { type JsonNode, toNode } from '../../wire/json.ts';

/** An error that the library threw. Of a connection that breaks nothing is told but the library's own message. */
export type SdkFailure = {
  readonly message: string;
  readonly status?: number;
  readonly headers: HeaderList;
  /** What stands under "error". */
  readonly error?: JsonNode;
};

/** Takes down what the library throws. Rethrows what is no error. */
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
