/** A value of the client's configuration, as `-c key=value` takes it. */
export type ConfigValue = string | number | boolean;

/** What the client is told to do in one run: its prompt and options, and the files that it finds. */
export type Task = {
  readonly prompt: string;
  /** Configuration by dotted key. */
  readonly config: Readonly<Record<string, ConfigValue>>;
  /** `--model`; the client's own default unless given. */
  readonly model?: string;
  /** Pictures that go with the prompt. */
  readonly images?: readonly ImageFile[];
  /** JSON text of the schema that the last answer is to follow. */
  readonly outputSchema?: string;
  /** Makes the working folder a git repository with one commit. */
  readonly repository?: Repository;
  /** MCP servers that the client starts, by the name it knows them under. */
  readonly mcpServers?: readonly McpServer[];
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
