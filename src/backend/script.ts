/** One scripted reply, as scenarios write it down. */
export type Reply =
  | { readonly reply: 'text'; readonly text: string }
  | {
      readonly reply: 'tool_call';
      /**
       * How the model would ask for a command: `custom` is the `custom_tool_call` named `exec` of the lite models
       * (the default from 0.144 on), `function` the `function_call` `exec_command` of the others.
       */
      readonly style: 'custom' | 'function';
      /** The shell command the client is told to run. */
      readonly command: string;
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
