/** A value of the client's configuration, as `-c key=value` takes it. */
export type ConfigValue = string | number | boolean;

/**
 * What the client is told to do in one run, and what it finds: either one prompt (`codex exec`), or steps in one or
 * more processes that keep a thread (`codex app-server`).
 */
export type Task = TaskSetup & ({ readonly prompt: string } | { readonly steps: readonly TaskStep[] });

/** One thing that is done in a thread, once the one before has ended. */
export type TaskStep =
  | {
      readonly do: 'turn';
      readonly prompt: string;
      /** What is changed from this turn on. */
      readonly model?: string;
      readonly effort?: string;
      readonly tier?: string;
      /** What happens when the first words of the answer are there. */
      readonly during?: { readonly steer: string } | 'interrupt';
    }
  /** A reviewer is started beside the thread. */
  | { readonly do: 'review'; readonly instructions: string }
  | { readonly do: 'compact' }
  /** The client ends, is started again, and takes up its thread. */
  | { readonly do: 'resume' };

export type TaskSetup = {
  /** Configuration by dotted key. */
  readonly config: Readonly<Record<string, ConfigValue>>;
  /** `--model`; the client's own default unless given. */
  readonly model?: string;
  /** Pictures that go with the one prompt. */
  readonly images?: readonly ImageFile[];
  /** JSON text of the schema that the last answer is to follow. */
  readonly outputSchema?: string;
  /** Makes the working folder a git repository with one commit. */
  readonly repository?: Repository;
  /** MCP servers that the client starts, by the name it knows them under. */
  readonly mcpServers?: readonly McpServer[];
  /** The access token has run out. */
  readonly expired?: boolean;
  /** The last turn is to end with an error. */
  readonly fails?: boolean;
};

export type ImageFile = {
  /** File name, without a folder. */
  readonly name: string;
  readonly base64: string;
};

export type Repository = {
  /** Texts by file name, without a folder. */
  readonly files: readonly (readonly [name: string, text: string])[];
};

export type McpServer = { readonly name: string; readonly tools: readonly McpTool[] };

/** A tool that answers every call with the same text. */
export type McpTool = {
  readonly name: string;
  readonly description: string;
  /** JSON text of its input schema: an object. */
  readonly inputSchema: string;
  readonly answer: string;
};
