import { run as runCommand } from '../../src/cli/run.ts';

export type CliResult = {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type InProcessOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The command line; that of the repository if not given. */
  readonly run?: typeof runCommand;
};

/**
 * Runs the command line in this process and captures what it prints: much faster than a process for each. One at a time: the
 * working folder and the environment are those of the process.
 */
export async function runInProcess(
  args: readonly string[],
  { cwd, env = {}, run = runCommand }: InProcessOptions = {},
): Promise<CliResult> {
  const [write, error, folder, environment] = [
    process.stdout.write,
    console.error,
    process.cwd(),
    { ...process.env },
  ];
  let stdout = '';
  let stderr = '';
  process.stdout.write = (text) => {
    stdout += text;
    return true;
  };
  console.error = (...parts) => {
    stderr += `${parts.join(' ')}\n`;
  };
  if (cwd !== undefined) process.chdir(cwd);
  Object.assign(process.env, env);
  try {
    const exitCode = await run(args);
    return { exitCode, stdout, stderr };
  } finally {
    process.stdout.write = write;
    console.error = error;
    process.chdir(folder);
    for (const name of Object.keys(env)) delete process.env[name];
    Object.assign(process.env, environment);
  }
}
