import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ParityError } from '../../errors.ts';
import { runInGroup } from '../process-group.ts';
import type { ClientEnvironment } from './environment.ts';
import type { Repository } from './task.ts';

/**
 * Makes the working folder of an environment a git repository with the files, one commit and a remote. Commit and
 * remote depend on the user of the environment alone: they differ between runs, and are the same in the same
 * environment.
 *
 * @throws ParityError `client-failed` when git is missing or fails.
 */
export async function makeRepository({ files }: Repository, environment: ClientEnvironment): Promise<void> {
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
    const ended = await runInGroup(['git', ...args], { cwd, env: { ...env, ...identity } }).catch(
      (cause: unknown) => {
        throw new ParityError(
          'client-failed',
          'this scenario needs git, which could not be started: install git',
          {
            cause,
          },
        );
      },
    );
    if (ended.exitCode !== 0)
      throw new ParityError('client-failed', `git ${args[0]} failed: ${ended.stderr.trim()}`);
  };
  for (const [file, text] of Object.entries(files)) await writeFile(join(cwd, file), text);
  await git('init', '--quiet', '--initial-branch=main');
  await git('remote', 'add', 'origin', `https://git.example.com/${name}/engine.git`);
  await git('add', '--all');
  await git('commit', '--quiet', '--message=First');
}
