import { ParityError } from '../../errors.ts';
import type { OfficialClient } from '../install/installed.ts';
import { type GroupRun, runInGroup } from '../process-group.ts';
import { playSteps } from './app-server-session.ts';
import type { ClientEnvironment } from './environment.ts';
import type { PointedLane } from './lanes.ts';
import type { ConfigValue, Task } from './task.ts';
import { type TaskArguments, writeTaskFiles } from './task-files.ts';

/** How the client's traffic reaches us. */
export type ClientConnection =
  | {
      /** Everything goes to the real hosts' names, through a proxy that answers for them. */
      readonly kind: 'intercepted';
      /** `http://127.0.0.1:PORT` */
      readonly proxyUrl: string;
      /** Path of the PEM file with the authority the proxy signs with. */
      readonly certificate: string;
    }
  | {
      /**
       * Responses and models go to the base URL, as when a user points the client at a proxy; accounts/check,
       * settings and analytics still go to chatgpt.com, so through the proxy when there is one.
       */
      readonly kind: PointedLane;
      /** `http://127.0.0.1:PORT/backend-api/codex`, without a slash at the end. */
      readonly baseUrl: string;
      readonly proxyUrl?: string;
      readonly certificate?: string;
    };

export type ClientRun = Task & {
  readonly client: OfficialClient;
  readonly environment: ClientEnvironment;
  readonly connect: ClientConnection;
  /** Milliseconds until the client is killed and the run counts as failed. A whole turn takes about one second. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
};

export type ClientResult = {
  /** 0 when the turn was done; null when a signal ended the client. */
  readonly exitCode: number | null;
  /** What the model said last. */
  readonly stdout: string;
  /** The client's banner, warnings and errors. */
  readonly stderr: string;
};

/**
 * Less side traffic. Each was measured on 0.118.0 and 0.169.0 to leave the responses traffic as it is; keys a version
 * does not know are ignored by it. Deliberately not here: `features.apps=false` takes tools away in 0.118.0, and
 * `analytics.enabled=false` shows in the turn metadata.
 */
const quiet: readonly string[] = [
  'features.plugins=false',
  'otel.exporter="none"',
  'otel.metrics_exporter="none"',
  'check_for_update_on_startup=false',
  // Without it, an AGENTS.md or .agents/skills in a repository around the working folder becomes part of the request.
  'project_root_markers=[]',
];

/**
 * Lays out the files of a task and does it: one prompt is a whole run of `codex exec`, steps are told to
 * `codex app-server`. Each process has a group of its own, which is killed when it ends. A non-zero exit is a result
 * and not an error: a scenario may want it.
 *
 * @throws ParityError `client-failed` when the client cannot be started or does not end in time, `interrupted` when
 *   the signal fires.
 */
export async function runOfficialClient(run: ClientRun): Promise<ClientResult> {
  const { client, environment, connect, timeoutMs, signal } = run;
  const laidOut = await writeTaskFiles(run, environment);
  const settings = settingsOf(run, laidOut);
  const options = {
    cwd: environment.cwd,
    env: { ...environment.env, ...connection(connect) },
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  };
  const ended = await started(
    'steps' in run
      ? playSteps({ ...options, command: [...client.command, ...serve, ...settings], steps: run.steps })
      : runInGroup([...client.command, ...exec, ...settings, ...laidOut.options, '--', run.prompt], options),
    client,
  );
  if (ended.ended === 'abort')
    throw new ParityError('interrupted', `Codex ${client.version} was interrupted`);
  if (ended.ended === 'timeout') {
    const said = lastLine(ended.stderr);
    throw new ParityError(
      'client-failed',
      `Codex ${client.version} did not end its turn within ${timeoutMs} ms; it last said: ${said}`,
    );
  }
  return { exitCode: ended.exitCode, stdout: ended.stdout, stderr: ended.stderr };
}

const exec = ['exec', '--skip-git-repo-check', '--ephemeral'];

/** Analytics are on in `codex exec` by themselves, and show in the turn metadata. */
const serve = ['app-server', '--analytics-default-enabled'];

/** The configuration of a run, as options of the command line. */
function settingsOf({ config, connect, ...run }: ClientRun, laidOut: TaskArguments): string[] {
  const values = {
    ...(connect.kind === 'intercepted' ? {} : pointers[connect.kind](connect.baseUrl)),
    ...('steps' in run && run.model !== undefined ? { model: run.model } : {}),
    ...laidOut.config,
    ...config,
  };
  const settings = Object.entries(values).map(([key, value]) => `${key}=${toml(value)}`);
  return [...quiet, ...settings].flatMap((setting) => ['-c', setting]);
}

/** What a user writes into the configuration to point the client at a proxy. */
const pointers: Readonly<Record<PointedLane, (baseUrl: string) => Record<string, ConfigValue>>> = {
  'base-url': (baseUrl) => ({ openai_base_url: baseUrl }),
  'provider-openai': (baseUrl) => providerNamed('OpenAI', baseUrl),
  provider: (baseUrl) => providerNamed('Parity', baseUrl),
};

function providerNamed(name: string, baseUrl: string): Record<string, ConfigValue> {
  return {
    model_provider: 'parity',
    'model_providers.parity.name': name,
    'model_providers.parity.base_url': baseUrl,
    'model_providers.parity.requires_openai_auth': true,
    'model_providers.parity.supports_websockets': true,
  };
}

/** JSON spells these values as TOML does. */
function toml(value: TaskArguments['config'][string]): string {
  return JSON.stringify(value);
}

/** Loopback must be kept from the proxy, or the client would ask the proxy for the base URL too. */
function connection(connect: ClientConnection): Record<string, string> {
  return {
    ...(connect.proxyUrl === undefined ? {} : { HTTPS_PROXY: connect.proxyUrl }),
    ...(connect.certificate === undefined ? {} : { CODEX_CA_CERTIFICATE: connect.certificate }),
    ...(connect.kind === 'intercepted' ? {} : { NO_PROXY: '127.0.0.1,localhost,::1' }),
  };
}

async function started(run: Promise<GroupRun>, client: OfficialClient): Promise<GroupRun> {
  try {
    return await run;
  } catch (cause) {
    if (cause instanceof ParityError) throw cause;
    throw new ParityError(
      'client-failed',
      `Codex ${client.version} could not be started: ${client.command[0]}`,
      {
        cause,
      },
    );
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
