import { join } from 'node:path';
import { installOfficialClient } from '../../src/client/install/install.ts';
import type { OfficialClient } from '../../src/client/install/installed.ts';
import { type ClientEnvironment, makeEnvironment } from '../../src/client/official/environment.ts';
import { runOfficialClient } from '../../src/client/official/run-client.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../../src/tap/certificate-authority.ts';
import { startInterceptingTap } from '../../src/tap/intercept.ts';
import { mustContain, nextPrompt, outputOf, toolPrompt } from './agents.ts';
import { findPython } from './install.ts';
import type { MatrixClient } from './matrix.ts';
import { toolResult } from './model.ts';
import type { Stage } from './stage.ts';

const version = '0.171.0';

export const codexClients: readonly MatrixClient[] = [
  codex('codex exec', playExec),
  codex('codex app-server', playAppServer),
  codex('codex TUI', playTerminal),
];

/** How a Codex client is started and pointed at the proxy. */
type CodexSetup = {
  readonly client: OfficialClient;
  readonly environment: ClientEnvironment;
  readonly baseUrl: string;
  /** The proxy and certificate with which it reaches the simulated chatgpt.com. */
  readonly side: { readonly proxyUrl: string; readonly certificate: string };
  readonly signal: AbortSignal;
};

function codex(name: string, play: (setup: CodexSetup) => Promise<string[]>): MatrixClient {
  return {
    name,
    version: `@openai/codex@${version}`,
    install: async () => void (await installOfficialClient(version)),
    play: (stage, signal) => inSetup(stage, signal, play),
  };
}

/** Requests for accounts and settings go to chatgpt.com, whatever the base URL: the simulated backend serves them. */
async function inSetup(
  stage: Stage,
  signal: AbortSignal,
  play: (setup: CodexSetup) => Promise<string[]>,
): Promise<string[]> {
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  const tap = await startInterceptingTap({
    authority,
    upstream: { kind: 'fixed', host: '127.0.0.1', port: stage.backendPort, tls: false },
    onOtherHost: 'refuse',
    observe: () => {},
  });
  try {
    return await play({
      client: await installOfficialClient(version),
      environment: await makeEnvironment(join(stage.environment.home, '..'), 2),
      baseUrl: `${stage.origin}/backend-api/codex`,
      side: { proxyUrl: tap.url, certificate: authority.certificatePath },
      signal,
    });
  } finally {
    await tap.close();
  }
}

async function playExec(setup: CodexSetup): Promise<string[]> {
  const { client, environment } = setup;
  const exec = (...rest: string[]) =>
    outputOf([...client.command, 'exec', ...settingsOf(setup), '--skip-git-repo-check', ...rest], {
      cwd: environment.cwd,
      env: variablesOf(setup),
      signal: setup.signal,
    });
  mustContain(await exec(toolPrompt), toolPrompt, toolResult);
  const last = await exec('resume', '--last', nextPrompt);
  mustContain(last, toolPrompt, nextPrompt, toolResult, 'Replies: 1.', 'Reasoning: 2.');
  return ['exec and exec resume: shell tool and second turn'];
}

async function playAppServer({ client, environment, baseUrl, side, signal }: CodexSetup): Promise<string[]> {
  const { stdout } = await runOfficialClient({
    client,
    environment,
    config: {},
    steps: [
      { do: 'turn', prompt: toolPrompt },
      { do: 'turn', prompt: nextPrompt },
      { do: 'resume' },
      { do: 'turn', prompt: 'And then?' },
    ],
    connect: { kind: 'base-url', baseUrl, ...side },
    timeoutMs: 120_000,
    signal,
  });
  mustContain(stdout, toolResult, `${nextPrompt} | And then?`, 'Replies: 2.', 'Reasoning: 3.');
  return ['app-server: shell tool, second turn, third turn after a resume'];
}

async function playTerminal(setup: CodexSetup): Promise<string[]> {
  const { client, environment } = setup;
  const [enter, interrupt] = ['\r', '\u0003'];
  const steps = [
    ['Outputs: Script completed', [nextPrompt, enter]],
    ['Replies: 1.', [interrupt, interrupt]],
  ];
  const trusted = `projects.${JSON.stringify(environment.cwd)}.trust_level="trusted"`;
  const command = [...client.command, ...settingsOf(setup), '-c', trusted, toolPrompt];
  const script = join(import.meta.dirname, 'programs', 'tui.py');
  const screen = await outputOf([await findPython(), script, JSON.stringify(steps), ...command], {
    cwd: environment.cwd,
    env: { ...variablesOf(setup), TERM: 'xterm-256color' },
    signal: setup.signal,
  });
  const text = screen.replaceAll(/\s+/g, '');
  mustContain(text, `${toolPrompt} | ${nextPrompt}`.replaceAll(' ', ''), toolResult.replaceAll(' ', ''));
  return ['terminal: shell tool and second turn'];
}

/** The client's own configuration, except for side requests and the base URL. */
function settingsOf({ baseUrl }: CodexSetup): string[] {
  const settings = [
    `openai_base_url=${JSON.stringify(baseUrl)}`,
    'features.plugins=false',
    'otel.exporter="none"',
    'otel.metrics_exporter="none"',
    'check_for_update_on_startup=false',
  ];
  return settings.flatMap((setting) => ['-c', setting]);
}

function variablesOf({ environment, side }: CodexSetup): Record<string, string> {
  return {
    ...environment.env,
    HTTPS_PROXY: side.proxyUrl,
    CODEX_CA_CERTIFICATE: side.certificate,
    NO_PROXY: '127.0.0.1,localhost,::1',
  };
}
