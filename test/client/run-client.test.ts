import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeEnvironment } from '../../src/client/official/environment.ts';
import { type ClientRun, runOfficialClient } from '../../src/client/official/run-client.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A run in which a script stands in for the client. */
async function standIn(script: string, members: Partial<ClientRun> = {}): Promise<ClientRun> {
  const root = await temporaryFolder();
  const program = join(await mkdtemp(join(root, 'client-')), 'codex.cjs');
  await writeFile(program, script);
  return {
    client: { version: '0.0.0', command: [process.execPath, program] },
    environment: await makeEnvironment(root, 0),
    prompt: 'Reply with exactly: OK',
    config: {},
    connect: { kind: 'intercepted', proxyUrl: 'http://127.0.0.1:9', certificate: '/somewhere/ca.pem' },
    timeoutMs: 60_000,
    ...members,
  };
}

const printAll =
  'console.log(JSON.stringify({ args: process.argv.slice(2), env: process.env, cwd: process.cwd() }))';

async function printed(
  members: Partial<ClientRun>,
): Promise<{ args: string[]; env: Record<string, string>; cwd: string }> {
  const { stdout } = await runOfficialClient(await standIn(printAll, members));
  return JSON.parse(stdout);
}

it('runs codex exec with the prompt as the last argument, even when it looks like an option', async () => {
  const { args } = await printed({ prompt: '--help me' });

  expect(args.slice(0, 2)).toEqual(['exec', '--skip-git-repo-check']);
  expect(args.slice(-2)).toEqual(['--', '--help me']);
});

it('passes the configuration of the scenario as TOML, last so that it takes precedence', async () => {
  const { args } = await printed({
    config: { service_tier: 'fast', 'features.plugins': true, model_context_window: 9000 },
  });

  const settings = args.filter((_, index) => args[index - 1] === '-c');
  expect(settings.slice(-3)).toEqual([
    'service_tier="fast"',
    'features.plugins=true',
    'model_context_window=9000',
  ]);
});

it('passes the files of a task as options before the prompt', async () => {
  const { args } = await printed({
    model: 'gpt-x',
    outputSchema: '{}',
    mcpServers: [{ name: 'parity', tools: [] }],
  });

  expect(args.slice(-6, -2)).toEqual(['--model', 'gpt-x', '--output-schema', expect.any(String)]);
  const [server] = args.filter((arg) => arg.startsWith('mcp_servers.parity.args='));
  expect(server).toMatch(/^mcp_servers\.parity\.args=\["[^"]*mcp-server\.mjs","\[\]"\]$/);
});

it('sets nothing that would change the traffic', async () => {
  const { args } = await printed({});

  expect(args.join(' ')).not.toMatch(/analytics|features\.apps|skills|sandbox/);
});

it('sends everything through the proxy when it is intercepted', async () => {
  const { args, env } = await printed({});

  expect(env).toMatchObject({
    HTTPS_PROXY: 'http://127.0.0.1:9',
    CODEX_CA_CERTIFICATE: '/somewhere/ca.pem',
  });
  expect(env).not.toHaveProperty('NO_PROXY');
  expect(args.join(' ')).not.toContain('openai_base_url');
});

it('reaches the base URL without the proxy', async () => {
  const baseUrl = 'http://127.0.0.1:9/backend-api/codex';

  const { args, env } = await printed({ connect: { kind: 'base-url', baseUrl } });

  expect(args).toContain(`openai_base_url="${baseUrl}"`);
  expect(env.NO_PROXY?.split(',')).toContain('127.0.0.1');
  expect(env).not.toHaveProperty('HTTPS_PROXY');
});

it('runs in the given environment only', async () => {
  const run = await standIn(printAll);
  const { stdout } = await runOfficialClient(run);
  const { env, cwd }: { env: Record<string, string>; cwd: string } = JSON.parse(stdout);

  expect(cwd).toBe(run.environment.cwd);
  expect(env).toMatchObject(run.environment.env);
  const added = Object.keys(env).filter((name) => !(name in run.environment.env));
  expect(added.sort()).toEqual(['CODEX_CA_CERTIFICATE', 'HTTPS_PROXY']);
});

it('returns a non-zero exit with what was printed', async () => {
  const run = await standIn('console.log("output"); console.error("went wrong"); process.exitCode = 1');

  expect(await runOfficialClient(run)).toEqual({ exitCode: 1, stdout: 'output\n', stderr: 'went wrong\n' });
});

it('fails with the last line of the client when it does not end in time', async () => {
  const hangs = 'console.error("Reconnecting... 1/5"); setInterval(() => {}, 1000)';
  const run = await standIn(hangs, { timeoutMs: 1_000 });

  await expect(runOfficialClient(run)).rejects.toMatchObject({
    code: 'client-failed',
    message: 'Codex 0.0.0 did not end its turn within 1000 ms; it last printed: Reconnecting... 1/5',
  });
});

it('rejects when it is aborted', async () => {
  const run = await standIn('setInterval(() => {}, 1000)', { signal: AbortSignal.abort() });

  await expect(runOfficialClient(run)).rejects.toMatchObject({ code: 'interrupted' });
});

it('fails in one line when the client is missing', async () => {
  const client = { version: '0.0.0', command: ['/nowhere/codex'] };

  await expect(runOfficialClient(await standIn('', { client }))).rejects.toMatchObject({
    code: 'client-failed',
    message: 'Codex 0.0.0 could not be started: /nowhere/codex',
  });
});

it.each([
  ['provider-openai', 'OpenAI'],
  ['provider', 'Parity'],
] as const)('points the client at a proxy with a provider, in the lane %s named %s', async (kind, name) => {
  const baseUrl = 'http://127.0.0.1:9/backend-api/codex';

  const { args, env } = await printed({ connect: { kind, baseUrl } });

  const settings = args.filter((_, index) => args[index - 1] === '-c');
  expect(settings.slice(-5)).toEqual([
    'model_provider="parity"',
    `model_providers.parity.name="${name}"`,
    `model_providers.parity.base_url="${baseUrl}"`,
    'model_providers.parity.requires_openai_auth=true',
    'model_providers.parity.supports_websockets=true',
  ]);
  expect(args.join(' ')).not.toContain('openai_base_url');
  expect(env.NO_PROXY?.split(',')).toContain('127.0.0.1');
});

it('runs codex app-server for steps, with the same configuration and the model', async () => {
  const steps = [{ do: 'turn', prompt: 'One' }] as const;
  const run = { ...(await standIn('console.error(process.argv.slice(2).join(" "))')), model: 'gpt-x', steps };

  const { stderr, exitCode } = await runOfficialClient(run);

  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^app-server --analytics-default-enabled -c features\.plugins=false /);
  expect(stderr).toContain(' -c project_root_markers=[] -c model="gpt-x"\n');
});
