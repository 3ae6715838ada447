import type { JsonObject } from '../../wire/json.ts';
import type { Failure } from './sdk-failure.ts';

/** The two APIs of OpenAI by which a program may ask a proxy for an answer. */
export const surfaces = ['responses', 'chat'] as const;
export type Surface = (typeof surfaces)[number];

/** What the library handed to the program that asked. */
export type Answer = {
  /** All that the model said. */
  readonly text: string;
  /** Why it stopped: the status of the response, or the completion's `finish_reason`; `none` where it failed. */
  readonly ending: string;
  /** The error that the library threw, or that the response failed with. */
  readonly failure?: Failure;
  /** What the model asks the program to run, in its order. */
  readonly calls: readonly Call[];
};

export type Call = {
  readonly id: string;
  /** The name of the tool's type: `function` or `custom`. */
  readonly type: string;
};

/** What is said in one request: words of the user, or what tools gave. */
export type Said = { readonly prompt: string } | { readonly outputs: readonly Output[] };
export type Output = { readonly call: Call; readonly text: string };

/** A conversation of a program, over one of the surfaces. */
export type Talk = {
  /** Asks once; `settings` are the members of the official client's request for the same. */
  readonly ask: (said: Said, settings: JsonObject) => Promise<Answer>;
};
