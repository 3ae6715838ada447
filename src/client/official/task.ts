import { z } from 'zod';
import { jsonObjectText, toolName } from '../../schema.ts';

/** A value of the client's configuration, as `-c key=value` takes it. */
const configValue = z.union(
  [z.string(), z.number(), z.boolean()],
  'must be a string, a number or true or false',
);
export type ConfigValue = z.output<typeof configValue>;

const fileName = z.string().regex(/^[\w-][\w.-]*$/, 'must be a file name without a folder');

const base64 = z
  .string()
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'must be base64');

/** A git repository with one commit: texts by file name. Git cannot commit without a file. */
const repository = z.strictObject({
  files: z
    .record(fileName, z.string())
    .refine((files) => Object.keys(files).length > 0, 'must contain a file'),
});
export type Repository = z.output<typeof repository>;

/** A tool that returns the same text for every call. */
const mcpTool = z.strictObject({
  name: toolName,
  description: z.string(),
  inputSchema: jsonObjectText,
  answer: z.string(),
});

const mcpServer = z.strictObject({ name: toolName, tools: z.array(mcpTool).readonly() });
export type McpServer = z.output<typeof mcpServer>;

/** A step in a thread. It starts when the step before has ended. */
const taskStep = z.discriminatedUnion('do', [
  z.strictObject({
    do: z.literal('turn'),
    prompt: z.string(),
    /** Changes from this turn on. */
    model: z.string().exactOptional(),
    effort: z.string().exactOptional(),
    tier: z.string().exactOptional(),
    /** What the user does after the first text delta. */
    during: z
      .union([z.literal('interrupt'), z.strictObject({ steer: z.string() })], {
        error: 'must be "interrupt" or {"steer": TEXT}',
      })
      .exactOptional(),
  }),
  /** A reviewer starts beside the thread. */
  z.strictObject({ do: z.literal('review'), instructions: z.string() }),
  z.strictObject({ do: z.literal('compact') }),
  /** The client ends, and a new process resumes the thread. */
  z.strictObject({ do: z.literal('resume') }),
]);
export type TaskStep = z.output<typeof taskStep>;

const setup = z.strictObject({
  /** By dotted key. */
  config: z.record(z.string(), configValue),
  /** `--model`; absent is the client's own default. */
  model: z.string().exactOptional(),
  /** Sent with the prompt. */
  images: z
    .array(z.strictObject({ name: fileName, base64 }))
    .readonly()
    .exactOptional(),
  /** The JSON schema that the last message must follow. */
  outputSchema: jsonObjectText.exactOptional(),
  /** Makes the working folder a repository. */
  repository: repository.exactOptional(),
  /** The servers that the client starts. */
  mcpServers: z.array(mcpServer).readonly().exactOptional(),
  /** The access token has expired. */
  expired: z.boolean().exactOptional(),
  /** The last turn must end with an error. */
  fails: z.boolean().exactOptional(),
});
export type TaskSetup = z.output<typeof setup>;

/**
 * What the client does in one run: a prompt (`codex exec`), or steps in one thread, in one or more processes
 * (`codex app-server`).
 */
export type Task = TaskSetup & ({ readonly prompt: string } | { readonly steps: readonly TaskStep[] });

const promptOrSteps = 'must have either "prompt", with "images" and "outputSchema" if needed, or "steps"';

/** A task, as scenario files write it. */
export const task = setup
  .extend({
    prompt: z.string().exactOptional(),
    steps: z
      .array(taskStep)
      .refine(([first]) => first?.do === 'turn', 'must begin with a turn, which starts the thread')
      .readonly()
      .exactOptional(),
  })
  .transform(({ prompt, steps, ...rest }, context): Task => {
    if (prompt !== undefined && steps === undefined) return { prompt, ...rest };
    const exec = prompt ?? rest.images ?? rest.outputSchema;
    if (steps !== undefined && exec === undefined) return { steps, ...rest };
    context.addIssue(promptOrSteps);
    return z.NEVER;
  });
