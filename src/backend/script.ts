/** One thing the model asks the client to run. */
export type ToolCall =
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
    };

/**
 * How a model asks for a tool: `custom` is the `custom_tool_call` named `exec` of the lite models (the default from
 * 0.144 on), whose input is JavaScript against `tools`; `function` is the `function_call` of the others; `auto` is
 * whichever the model of the request would use.
 */
export type CallStyle = 'auto' | 'custom' | 'function';

/** One scripted reply, as scenarios write it down. */
export type Reply =
  | { readonly reply: 'text'; readonly text: string }
  | {
      readonly reply: 'tool_calls';
      readonly style: CallStyle;
      /** All of one response, each an output item of its own. */
      readonly calls: readonly ToolCall[];
    };

/** The replies of one run, used up one after the other by all connections together. */
export type Script = {
  /** The next reply, or undefined when all are used up. */
  next(): Reply | undefined;
  /** How many replies were used up so far. */
  served(): number;
  /** How many replies there are altogether. */
  readonly length: number;
};

export function startScript(replies: readonly Reply[]): Script {
  let served = 0;
  return {
    next: () => {
      const reply = replies[served];
      if (reply !== undefined) served += 1;
      return reply;
    },
    served: () => served,
    length: replies.length,
  };
}
