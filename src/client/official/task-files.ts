import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../files.ts';
import type { ClientEnvironment } from './environment.ts';
import { makeRepository } from './repository.ts';
import type { ConfigValue, McpServer, Task } from './task.ts';

/** What a task adds to the command line of the client. */
export type TaskArguments = {
  readonly options: readonly string[];
  /** Configuration by dotted key. */
  readonly config: Readonly<Record<string, ConfigValue | readonly string[]>>;
};

/** The bundled MCP server. Its first argument is the JSON of its tools. */
const mcpServer = join(import.meta.dirname, '..', '..', '..', 'fixtures', 'mcp-server.mjs');

/**
 * Writes the files of a task, and returns the arguments that name them. Images and schema are outside the working
 * folder, which stays empty without a repository.
 *
 * @throws ParityError `client-failed` when the task has a repository, and git is missing or fails.
 */
export async function writeTaskFiles(task: Task, environment: ClientEnvironment): Promise<TaskArguments> {
  const { model, images = [], outputSchema, repository, mcpServers = [] } = task;
  const folder = join(environment.home, 'given');
  const options: string[] = [];
  if (model !== undefined) options.push('--model', model);
  if (images.length > 0 || outputSchema !== undefined) makeFolder(folder);
  for (const { name, base64 } of images) {
    const path = join(folder, name);
    await writeFile(path, Buffer.from(base64, 'base64'));
    options.push('--image', path);
  }
  if (outputSchema !== undefined) {
    const path = join(folder, 'schema.json');
    await writeFile(path, outputSchema);
    options.push('--output-schema', path);
  }
  if (repository !== undefined) await makeRepository(repository, environment);
  return {
    options,
    config: {
      // Without it, `quiet` of run-client.ts hides the AGENTS.md of the repository.
      ...(repository === undefined ? {} : { project_root_markers: ['.git'] }),
      ...Object.fromEntries(mcpServers.flatMap(configOf)),
    },
  };
}

function configOf({ name, tools }: McpServer): [string, string | readonly string[]][] {
  return [
    [`mcp_servers.${name}.command`, process.execPath],
    [`mcp_servers.${name}.args`, [mcpServer, JSON.stringify(tools)]],
  ];
}
