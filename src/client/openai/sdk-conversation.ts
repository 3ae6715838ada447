import type { HeaderList } from '../../wire/headers.ts';
import { type JsonNode, type JsonObject, toNode } from '../../wire/json.ts';

/** The two APIs of OpenAI's SDK that a proxy may serve: Responses, and chat completions. */
export type SdkSurface = 'responses' | 'chat';

/** What the SDK returned to the program for one request. */
export type SdkResponse = {
  /** All text of the model. */
  readonly text: string;
  /** The status of the response, or the `finish_reason` of the completion; `none` for a failure. */
  readonly ending: string;
  /** The error that the SDK threw, or that the response failed with. */
  readonly failure?: SdkFailure;
  readonly calls: readonly SdkToolCall[];
};

export type SdkToolCall = {
  readonly id: string;
  /** `function` or `custom`. */
  readonly type: string;
};

/** The input of one request: a prompt, or the outputs of tools. */
export type SdkInput =
  | { readonly prompt: string }
  | { readonly outputs: readonly { readonly call: SdkToolCall; readonly text: string }[] };

/**
 * A conversation with the model over one of the surfaces. It keeps what the next request must repeat or refer to. Each
 * call sends one request; `settings` is the official client's request for the same.
 */
export type SdkConversation = (input: SdkInput, settings: JsonObject) => Promise<SdkResponse>;

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
