import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ParityError } from '../../errors.ts';
import { makeFolder } from '../../files.ts';
import { runInGroup } from '../process-group.ts';
import type { ClientEnvironment } from './environment.ts';
import type { ConfigValue, McpServer, Repository, Task } from './task.ts';

/** What a task adds to the command line of the client. */
export type TaskArguments = {
  readonly options: readonly string[];
  /** Configuration by dotted key. */
  readonly config: Readonly<Record<string, ConfigValue | readonly string[]>>;
  /** The files that `options` name. */
  readonly image?: string;
  readonly schema?: string;
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
  const files: { image?: string; schema?: string } = {};
  for (const { name, base64 } of images) {
    const path = join(folder, name);
    files.image ??= path;
    await writeFile(path, Buffer.from(base64, 'base64'));
    options.push('--image', path);
  }
  if (outputSchema !== undefined) {
    const path = join(folder, 'schema.json');
    files.schema = path;
    await writeFile(path, outputSchema);
    options.push('--output-schema', path);
  }
  if (repository !== undefined) await makeRepository(repository, environment);
  return {
    ...files,
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

/**
 * Makes the working folder of an environment a git repository with the files, one commit and a remote. Commit, branch
 * and remote depend on the user of the environment alone: they differ between runs, and are the same in the same
 * environment.
 *
 * @throws ParityError `client-failed` when git is missing or fails.
 */
async function makeRepository({ files }: Repository, environment: ClientEnvironment): Promise<void> {
  const { cwd, env, signIn } = environment;
  const { USER: name = '' } = env;
  const identity = {
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: signIn.email,
    GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z',
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: signIn.email,
    GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z',
    GIT_CONFIG_NOSYSTEM: '1',
  };
  const git = async (...args: string[]) => {
    const run = runInGroup(['git', ...args], { cwd, env: { ...env, ...identity } });
    const ended = await run.catch((cause: unknown) => {
      const message = 'this scenario needs git, which could not be started: install git';
      throw new ParityError('client-failed', message, { cause });
    });
    if (ended.exitCode !== 0)
      throw new ParityError('client-failed', `git ${args[0]} failed: ${ended.stderr.trim()}`);
  };
  for (const [file, text] of Object.entries(files)) await writeFile(join(cwd, file), text);
  await git('init', '--quiet', `--initial-branch=of-${name}`);
  await git('remote', 'add', 'origin', `https://git.example.com/${name}/engine.git`);
  await git('add', '--all');
  await git('commit', '--quiet', '--message=First');
}
