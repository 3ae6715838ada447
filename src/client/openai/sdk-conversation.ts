import type { JsonObject } from '../../wire/json.ts';
import type { SdkFailure } from './sdk-failure.ts';

/** The two APIs of OpenAI by which a program may ask a proxy for an answer. */
export const sdkSurfaces = ['responses', 'chat'] as const;
export type SdkSurface = (typeof sdkSurfaces)[number];

/** What the library handed to the program that asked. */
export type SdkResponse = {
  /** All that the model said. */
  readonly text: string;
  /** Why it stopped: the status of the response, or the completion's `finish_reason`; `none` where it failed. */
  readonly ending: string;
  /** The error that the library threw, or that the response failed with. */
  readonly failure?: SdkFailure;
  /** What the model asks the program to run, in its order. */
  readonly calls: readonly SdkToolCall[];
};

export type SdkToolCall = {
  readonly id: string;
  /** The name of the tool's type: `function` or `custom`. */
  readonly type: string;
};

/** What is said in one request: words of the user, or what tools gave. */
export type SdkInput = { readonly prompt: string } | { readonly outputs: readonly SdkToolOutput[] };
export type SdkToolOutput = { readonly call: SdkToolCall; readonly text: string };

/** A conversation of a program, over one of the sdkSurfaces. */
export type SdkConversation = {
  /** Asks once; `settings` are the members of the official client's request for the same. */
  readonly ask: (said: SdkInput, settings: JsonObject) => Promise<SdkResponse>;
};
