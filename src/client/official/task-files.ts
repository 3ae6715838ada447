import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../files.ts';
import type { ClientEnvironment } from './environment.ts';
import { makeRepository } from './repository.ts';
import type { ConfigValue, McpServer, Task } from './task.ts';

/** What a task adds to the client's command line, once its files are there. */
export type TaskArguments = {
  readonly options: readonly string[];
  /** Configuration by dotted key; lists are written as TOML. */
  readonly config: Readonly<Record<string, ConfigValue | readonly string[]>>;
};

/** The MCP server that comes along: it has the tools of its first argument. */
const mcpServer = join(import.meta.dirname, '..', '..', '..', 'fixtures', 'mcp-server.mjs');

/**
 * Puts the files of a task where the client will find them. Those that are only named on the command line lie outside
 * its working folder, which stays as empty as it was.
 *
 * @throws ParityError `client-failed` where a repository is asked for and there is no git.
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
      // Nothing around the working folder is seen, since it is the root of its own repository.
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
