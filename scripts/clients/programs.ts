import { cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientEnvironment } from '../../src/client/official/environment.ts';
import { programSearch, runInGroup } from '../../src/client/process-group.ts';
import { installPackages, type Packages } from './install.ts';
import type { MatrixClient } from './matrix.ts';

const folder = join(import.meta.dirname, 'programs');

/** A model that is lite in the goldens of 0.171.0, over the websocket, and one that is not, over HTTP. */
const ways = [
  { model: 'gpt-6.2-sol', proxy: 'origin' },
  { model: 'gpt-5.4', proxy: 'originWithoutWebSockets' },
] as const;

export const nodePrograms: readonly MatrixClient[] = [
  program('openai (Node)', 'openai-node.mjs', npm('openai@7.57.0', 'zod@4.6.7', 'ws@8.23.0')),
  program('AI SDK', 'ai-sdk.mjs', npm('ai@7.0.173', '@ai-sdk/openai@4.0.118', 'zod@4.6.7')),
  program(
    'LangChain (JS)',
    'langchain-js.mjs',
    npm('langchain@1.5.14', '@langchain/openai@1.6.0', '@langchain/core@1.4.0', 'zod@4.6.7'),
  ),
  program('openai-agents (JS)', 'agents-js.mjs', npm('@openai/agents@0.20.0', 'openai@7.57.0', 'zod@4.6.7')),
];

export const pythonPrograms: readonly MatrixClient[] = [
  program('openai (Python)', 'openai_python.py', pypi('openai[realtime]==3.57.0')),
  program('LangChain (Python)', 'langchain_python.py', pypi('langchain==1.5.2', 'langchain-openai==1.7.4')),
  program('openai-agents (Python)', 'agents_python.py', pypi('openai-agents==0.24.0')),
  program('LiteLLM', 'litellm_python.py', pypi('litellm==1.110.2')),
  program('instructor', 'instructor_python.py', pypi('instructor==1.17.0')),
];

function npm(...packages: string[]): Packages {
  return { registry: 'npm', packages };
}

function pypi(...packages: string[]): Packages {
  return { registry: 'PyPI', packages };
}

/** A program of ours that uses a library. It prints a line `played: NAME` for each conversation. */
function program(name: string, file: string, packages: Packages): MatrixClient {
  return {
    name,
    version: packages.packages.filter((one) => !/^(?:zod|ws)@/.test(one)).join(', '),
    install: async () => void (await installPackages(packages)),
    play: async (stage, signal) => {
      const installed = await installPackages(packages);
      const played = new Set<string>();
      for (const { model, proxy } of ways) {
        const { environment, [proxy]: origin } = stage;
        const run = { installed, file, model, environment, origin, signal };
        for (const conversation of await runProgram(run)) played.add(conversation);
      }
      return [...played];
    },
  };
}

type ProgramRun = {
  readonly installed: string;
  readonly file: string;
  readonly model: string;
  readonly environment: ClientEnvironment;
  readonly origin: string;
  readonly signal: AbortSignal;
};

async function runProgram({ installed, file, model, environment, ...run }: ProgramRun): Promise<string[]> {
  // Node looks for packages in the folders above a program.
  const work = join(environment.cwd, `with-${model}`);
  await mkdir(work);
  await cp(folder, work, { recursive: true });
  const isNode = file.endsWith('.mjs');
  if (isNode) await symlink(join(installed, 'node_modules'), join(work, 'node_modules'));
  const command = isNode ? [process.execPath, file] : [join(installed, 'bin', 'python'), '-u', file];
  const { ended, exitCode, stdout, stderr } = await runInGroup(command, {
    cwd: work,
    env: {
      ...programSearch(),
      HOME: environment.home,
      OPENAI_BASE_URL: `${run.origin}/v1`,
      OPENAI_API_KEY: 'any',
      MODEL: model,
    },
    signal: run.signal,
  });
  if (ended === 'abort') throw new Error(`not finished in time; it last printed: ${lastLine(stdout)}`);
  if (exitCode !== 0) throw new Error(`${model}: ${reasonIn(stderr) || `exit code ${exitCode}`}`);
  return stdout.split('\n').flatMap((line) => /^played: (.*)$/.exec(line)?.[1] ?? []);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

/** The error in what a program printed before it ended: the last line of Python, the first with an error of Node. */
function reasonIn(stderr: string): string {
  const lines = stderr.trim().split('\n');
  return (lines.find((line) => /^\w*Error\b.*: /.test(line)) ?? lines.at(-1) ?? '').slice(0, 600);
}
