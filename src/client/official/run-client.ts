import { ParityError } from '../../errors.ts';
import type { OfficialClient } from '../install/installed.ts';
import { type GroupRun, runInGroup } from '../process-group.ts';
import { playSteps } from './app-server-session.ts';
import type { ClientEnvironment } from './environment.ts';
import type { PointedLane } from './lanes.ts';
import type { ConfigValue, Task } from './task.ts';
import { type TaskArguments, writeTaskFiles } from './task-files.ts';

/** How the client reaches the simulated backend. */
export type ClientConnection =
  | {
      /** The client connects to the official hosts, through a proxy that serves them. */
      readonly kind: 'intercepted';
      /** `http://127.0.0.1:PORT` */
      readonly proxyUrl: string;
      /** Path of the PEM file with the certificate authority of the proxy. */
      readonly certificate: string;
    }
  | {
      /**
       * Requests for responses and models go to the base URL, as when a user configures a proxy. Those for accounts,
       * settings and analytics still go to chatgpt.com, through `proxyUrl` if given.
       */
      readonly kind: PointedLane;
      /** `http://127.0.0.1:PORT/backend-api/codex`, without a trailing slash. */
      readonly baseUrl: string;
      readonly proxyUrl?: string;
      readonly certificate?: string;
    };

export type ClientRun = Task & {
  readonly client: OfficialClient;
  readonly environment: ClientEnvironment;
  readonly connect: ClientConnection;
  /** Milliseconds until the client is killed and the run fails. A turn takes about one second. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
};

/** `exitCode` is 0 when the turn completed, `stdout` the last message of the model. */
export type ClientResult = Pick<GroupRun, 'exitCode' | 'stdout' | 'stderr'>;

/**
 * Configuration for fewer side requests. None of it changes the requests for responses (measured: codex 0.118.0 and
 * 0.169.0). A version ignores keys that it does not know. Not included: `features.apps=false` removes tools in 0.118.0,
 * and `analytics.enabled=false` changes the turn metadata.
 */
const quiet: Readonly<Record<string, ConfigValue | readonly string[]>> = {
  'features.plugins': false,
  'otel.exporter': 'none',
  'otel.metrics_exporter': 'none',
  check_for_update_on_startup: false,
  // Otherwise an AGENTS.md or .agents/skills in a folder around the working folder becomes part of the request.
  project_root_markers: [],
};

/**
 * Writes the files of a task and runs the client for it: `codex exec` for a prompt, `codex app-server` for steps. A
 * non-zero exit code is a result, as a scenario may expect it.
 *
 * @throws ParityError `client-failed` when the client cannot be started or does not end in time, `interrupted` when
 *   the signal fires.
 */
export async function runOfficialClient(run: ClientRun): Promise<ClientResult> {
  const { client, environment, connect, timeoutMs, signal } = run;
  const taskArguments = await writeTaskFiles(run, environment);
  const settings = settingsOf(run, taskArguments);
  const options = {
    cwd: environment.cwd,
    env: { ...environment.env, ...connectionVariables(connect) },
    timeoutMs,
    signal,
  };
  const running =
    'steps' in run
      ? playSteps({
          ...options,
          command: [...client.command, ...serve, ...settings],
          version: client.version,
          steps: run.steps,
        })
      : runInGroup(
          [...client.command, ...exec, ...settings, ...taskArguments.options, '--', run.prompt],
          options,
        );
  const { ended, ...result } = await running.catch((cause: unknown) => {
    if (cause instanceof ParityError) throw cause;
    const message = `Codex ${client.version} could not be started: ${client.command[0]}`;
    throw new ParityError('client-failed', message, { cause });
  });
  if (ended === 'abort') throw new ParityError('interrupted', `Codex ${client.version} was interrupted`);
  if (ended === 'timeout') {
    const last = result.stderr.trim().split('\n').at(-1);
    const message = `Codex ${client.version} did not end its turn within ${timeoutMs} ms; it last printed: ${last}`;
    throw new ParityError('client-failed', message);
  }
  return result;
}

const exec = ['exec', '--skip-git-repo-check', '--ephemeral'];

/** `codex exec` has analytics on by default, which shows in the turn metadata. */
const serve = ['app-server', '--analytics-default-enabled'];

/** The configuration of a run, as command-line options. */
function settingsOf({ connect, ...run }: ClientRun, taskArguments: TaskArguments): string[] {
  const model = 'steps' in run ? run.model : undefined;
  return settingLines({ ...run, model, connect }, taskArguments).flatMap((setting) => ['-c', setting]);
}

/** The settings of a task. `model` is absent where an option of the command line names it. */
type TaskSettings = Pick<ClientRun, 'config'> & {
  readonly model: string | undefined;
  readonly connect: Pick<ClientConnection, 'kind'> & { readonly baseUrl?: string };
};

/** The configuration of a task as lines `key=value`, which `-c` takes, and which make a `config.toml`. */
export function settingLines({ config, connect, model }: TaskSettings, task: TaskArguments): string[] {
  const { kind, baseUrl = '' } = connect;
  const layers = [
    quiet,
    kind === 'intercepted' ? {} : pointers[kind](baseUrl),
    model === undefined ? {} : { model },
    task.config,
    config,
  ];
  // TOML has each key once: the last layer takes precedence.
  const values = new Map<string, unknown>();
  for (const [key, value] of layers.flatMap(Object.entries)) {
    values.delete(key);
    values.set(key, value);
  }
  // These values are written alike in JSON and TOML.
  return [...values].map(([key, value]) => `${key}=${JSON.stringify(value)}`);
}

/** The configuration with which users point the client at a proxy. */
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

/** NO_PROXY, as otherwise the client would reach the base URL through the proxy too. */
function connectionVariables(connect: ClientConnection): Record<string, string> {
  return {
    ...(connect.proxyUrl === undefined ? {} : { HTTPS_PROXY: connect.proxyUrl }),
    ...(connect.certificate === undefined ? {} : { CODEX_CA_CERTIFICATE: connect.certificate }),
    ...(connect.kind === 'intercepted' ? {} : { NO_PROXY: '127.0.0.1,localhost,::1' }),
  };
}
