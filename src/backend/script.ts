import type { HeaderList } from '../wire/headers.ts';

/** One thing the model asks the client to run. */
export type ScriptedToolCall =
  | {
      readonly call: 'command';
      /** The shell command the client is told to run. */
      readonly command: string;
      /** What it prints, wherever it runs. */
      readonly output: string;
    }
  | {
      readonly call: 'mcp';
      /** The name of the MCP server in the client's configuration. */
      readonly server: string;
      readonly tool: string;
      /** JSON text of the arguments: an object. */
      readonly arguments: string;
    }
  | {
      /** A tool that the client has by itself. */
      readonly call: 'tool';
      readonly name: string;
      /** JSON text of the arguments: an object. */
      readonly arguments: string;
      /** Part of what it gives, wherever it runs. */
      readonly output: string;
    };

/**
 * How a model asks for a tool: `custom` is the `custom_tool_call` named `exec` of the lite models (the default from
 * 0.144 on), whose input is JavaScript against `tools`; `function` is the `function_call` of the others; `auto` is
 * whichever the model of the request would use.
 */
export type CallStyle = 'auto' | 'custom' | 'function';

/** Whom a reply is for: the thread that the user talks to, one that it started, or a request to compact the thread. */
export type Recipient = 'turn' | 'subagent' | 'compaction';

/** One scripted reply, as scenarios write it down. */
export type ScriptedReply = {
  /** Absent: whoever asks next. Threads that run side by side ask in no fixed order. */
  readonly to?: Recipient;
} & (
  | {
      readonly reply: 'text';
      readonly text: string;
      /** The value that the client must send along until its turn ends. */
      readonly turnState?: string;
      /** Things said in between that the client is to pass over. */
      readonly noise?: readonly Noise[];
      /** How the connection ends when all is said; it stays open unless given. */
      readonly close?: CloseCode;
    }
  | {
      readonly reply: 'tool_calls';
      readonly style: CallStyle;
      /** All of one response, each an output item of its own. */
      readonly calls: readonly ScriptedToolCall[];
      readonly turnState?: string;
    }
  /** The request is refused: an error frame, or an HTTP status. `error` is JSON text: the object under "error". */
  | {
      readonly reply: 'error';
      readonly status: number;
      readonly error: string;
      /** What else is told, such as when to come again: in the frame, or as headers of the answer. */
      readonly headers?: HeaderList;
    }
  /** The response fails after it began; `error` is JSON text: the object under "response.error". */
  | { readonly reply: 'failed'; readonly error: string }
  | { readonly reply: 'incomplete'; readonly reason: string }
  /** The connection ends after the first words. */
  | { readonly reply: 'break'; readonly close: CloseCode }
  /** A binary message after the first words. */
  | { readonly reply: 'binary' }
  /** The first words, and then nothing: the client steers or leaves. */
  | { readonly reply: 'hold'; readonly text: string }
);

/** The code of the close message; null where the connection ends without one. */
export type CloseCode = number | null;

/** What a client passes over: an event of no known type, text that is no JSON, the account's rate limits. */
export type Noise = 'unknown-event' | 'not-json' | 'rate-limits';

/** What goes wrong apart from replies; each is used up by the first occasions, after which all goes well. */
export type Faults = {
  /** HTTP statuses that upgrades are refused with. */
  readonly upgrades?: readonly number[];
  /** Prewarms that get no answer. */
  readonly stalledPrewarms?: number;
  /** The error code with which tokens are not refreshed, such as `refresh_token_reused`. */
  readonly refresh?: string;
};

/** The text that a reply begins with which brings no text of its own to its end. */
export const firstWords = 'In the beginning';

/** The replies of one run, used up by all connections together. */
export type Script = {
  /** The first reply that is left and for this recipient, or undefined where there is none. */
  next(recipient: Recipient): ScriptedReply | undefined;
  /** How many replies were used up so far. */
  served(): number;
  /** How often a reply was asked for in vain. */
  missed(): number;
  /** How many replies there are altogether. */
  readonly length: number;
};

export function startScript(replies: readonly ScriptedReply[]): Script {
  const left = [...replies];
  let missed = 0;
  return {
    next: (recipient) => {
      const at = left.findIndex(({ to }) => to === undefined || to === recipient);
      if (at >= 0) return left.splice(at, 1)[0];
      missed += 1;
      return undefined;
    },
    served: () => replies.length - left.length,
    missed: () => missed,
    length: replies.length,
  };
}
