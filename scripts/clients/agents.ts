import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { programSearch, runInGroup } from '../../src/client/process-group.ts';
import { unsignedToken } from '../../src/wire/ids.ts';
import { installPackages, type Packages } from './install.ts';
import type { MatrixClient } from './matrix.ts';
import { toolResult } from './model.ts';
import type { Stage } from './stage.ts';

const allModels = ['gpt-6.2-sol', 'gpt-5.4'];
export const toolPrompt = 'Use the tool for Paris.';
export const nextPrompt = 'And tomorrow?';

const opencode: Packages = { registry: 'npm', packages: ['opencode-ai@1.18.33'] };
const pi: Packages = { registry: 'npm', packages: ['@earendil-works/pi-coding-agent@1.5.2'] };

export const agentClients: readonly MatrixClient[] = [
  {
    name: 'opencode',
    version: opencode.packages.join(),
    install: async () => void (await installPackages(opencode)),
    play: playOpencode,
  },
  {
    name: 'pi',
    version: pi.packages.join(),
    install: async () => void (await installPackages(pi)),
    play: playPi,
  },
];

async function playOpencode(stage: Stage, signal: AbortSignal): Promise<string[]> {
  const { environment, origin } = stage;
  const { cwd, home } = environment;
  const options = { baseURL: `${origin}/v1`, apiKey: 'any' };
  const known = Object.fromEntries(
    allModels.map((id) => [id, { name: id, reasoning: true, tool_call: true }]),
  );
  const config = {
    autoupdate: false,
    share: 'disabled',
    permission: 'allow',
    provider: {
      openai: { options, models: known },
      chat: { npm: '@ai-sdk/openai-compatible', name: 'Chat', options, models: known },
    },
  };
  await writeFile(join(cwd, 'opencode.json'), JSON.stringify(config));
  // The package only names the program of the platform; its install script would copy it.
  const program = `opencode-${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const command = join(await installPackages(opencode), 'node_modules', program, 'bin', 'opencode');
  const played: string[] = [];
  for (const { provider, api, models } of [
    { provider: 'openai', api: 'responses', models: allModels },
    // Each run takes ten seconds.
    { provider: 'chat', api: 'chat', models: allModels.slice(0, 1) },
  ]) {
    for (const model of models) {
      const run = [command, 'run', '--format', 'json', '--model', `${provider}/${model}`];
      const settings = { cwd, env: { ...programSearch(), HOME: home, TERM: 'dumb' }, signal };
      mustContain(await outputOf([...run, toolPrompt], settings), toolPrompt, toolResult);
      const last = await outputOf([...run, '--continue', nextPrompt], settings);
      mustContain(last, toolPrompt, nextPrompt, toolResult, 'Replies: 1.');
    }
    played.push(`run and run --continue over ${api}: shell tool and second turn`);
  }
  return played;
}

async function playPi(stage: Stage, signal: AbortSignal): Promise<string[]> {
  const { environment, origin } = stage;
  const { cwd, home } = environment;
  // Its provider for Codex reads the account from the token.
  const token = unsignedToken({
    exp: 4_102_444_800,
    'https://api.openai.com/auth': { chatgpt_account_id: environment.signIn.accountId },
  });
  const known = allModels.map((id) => ({ id, reasoning: true }));
  const provider = (api: string, path: string, apiKey: string) => ({
    baseUrl: `${origin}${path}`,
    api,
    apiKey,
    models: known,
  });
  const providers = {
    responses: provider('openai-responses', '/v1', 'any'),
    chat: provider('openai-completions', '/v1', 'any'),
    codex: provider('openai-codex-responses', '/backend-api', token),
  };
  const configuration = join(home, '.pi', 'agent');
  await mkdir(configuration, { recursive: true });
  await writeFile(join(configuration, 'models.json'), JSON.stringify({ providers }));
  const script = join(
    await installPackages(pi),
    'node_modules',
    '@earendil-works',
    'pi-coding-agent',
    'dist',
    'cli.js',
  );
  const played: string[] = [];
  for (const name of Object.keys(providers)) {
    for (const model of allModels) {
      const settings = ['--offline', '--print', '--model', `${name}/${model}`, '--thinking', 'low'];
      const run = (...rest: string[]) =>
        outputOf([process.execPath, script, ...settings, ...rest], {
          cwd,
          env: { ...programSearch(), HOME: home, TERM: 'dumb' },
          signal,
        });
      mustContain(await run(toolPrompt), toolPrompt, toolResult);
      const last = await run('--continue', nextPrompt);
      mustContain(last, toolPrompt, nextPrompt, toolResult, 'Replies: 1.');
    }
    played.push(`--print and --continue, API ${name}: shell tool and second turn`);
  }
  return played;
}

type RunSettings = {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
};

/** Runs a program to its end, and returns what it printed. Throws if it fails. */
export async function outputOf(command: readonly string[], settings: RunSettings): Promise<string> {
  const { ended, exitCode, stdout, stderr } = await runInGroup(command, settings);
  if (ended === 'abort') throw new Error('not finished in time');
  if (exitCode === 0) return stdout;
  throw new Error(`exit code ${exitCode}: ${(stderr.trim() || stdout.trim()).split('\n').at(-1)}`);
}

export function mustContain(text: string, ...parts: readonly string[]): void {
  for (const part of parts) {
    if (!text.includes(part)) throw new Error(`"${part}" is missing in: ${text.slice(-600)}`);
  }
}
