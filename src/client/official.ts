import { ParityError } from '../errors.ts';
import type { ClientEnvironment } from './environment.ts';
import type { OfficialClient } from './installed.ts';
import { type LaidOut, layOut } from './lay-out.ts';
import { type GroupRun, runInGroup } from './process-group.ts';
import type { Task } from './task.ts';

/** How the client's traffic reaches us. */
export type Connect =
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
      readonly kind: 'base-url';
      /** `http://127.0.0.1:PORT/backend-api/codex`, without a slash at the end. */
      readonly baseUrl: string;
      readonly proxyUrl?: string;
      readonly certificate?: string;
    };

export type ClientRun = Task & {
  readonly client: OfficialClient;
  readonly environment: ClientEnvironment;
  readonly connect: Connect;
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
 * Runs one whole turn: lays out the files of the task, then `codex exec PROMPT` with nothing on standard input, in its own process group, which is killed
 * when the run ends. A non-zero exit is a result and not an error: a scenario may want it.
 *
 * @throws ParityError `client-failed` when the client cannot be started or does not end in time, `interrupted` when
 *   the signal fires.
 */
export async function runOfficialClient(run: ClientRun): Promise<ClientResult> {
  const { client, environment, connect, timeoutMs, signal } = run;
  const laidOut = await layOut(run, environment);
  const ended = await started(
    runInGroup([...client.command, ...argumentsOf(run, laidOut)], {
      cwd: environment.cwd,
      env: { ...environment.env, ...connection(connect) },
      timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    }),
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

function argumentsOf(run: ClientRun, laidOut: LaidOut): string[] {
  const { config, connect } = run;
  const settings = [
    ...quiet,
    ...(connect.kind === 'base-url' ? [`openai_base_url=${toml(connect.baseUrl)}`] : []),
    ...Object.entries({ ...laidOut.config, ...config }).map(([key, value]) => `${key}=${toml(value)}`),
  ];
  return [
    ...['exec', '--skip-git-repo-check', '--ephemeral'],
    ...settings.flatMap((setting) => ['-c', setting]),
    ...laidOut.options,
    ...['--', 'prompt' in run ? run.prompt : ''],
  ];
}

/** JSON spells these values as TOML does. */
function toml(value: LaidOut['config'][string]): string {
  return JSON.stringify(value);
}

/** Loopback must be kept from the proxy, or the client would ask the proxy for the base URL too. */
function connection(connect: Connect): Record<string, string> {
  return {
    ...(connect.proxyUrl === undefined ? {} : { HTTPS_PROXY: connect.proxyUrl }),
    ...(connect.certificate === undefined ? {} : { CODEX_CA_CERTIFICATE: connect.certificate }),
    ...(connect.kind === 'base-url' ? { NO_PROXY: '127.0.0.1,localhost,::1' } : {}),
  };
}

async function started(run: Promise<GroupRun>, client: OfficialClient): Promise<GroupRun> {
  try {
    return await run;
  } catch (cause) {
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
