import { ParityError } from '../../errors.ts';
import { isVersion } from '../../wire/codex-version.ts';
import { definedOnly, type GroupOptions, type GroupRun, onWindows, runInGroup } from '../process-group.ts';

export type NpmOptions = {
  /** Registry to use instead of the one in the user's npm configuration. */
  readonly registry?: string;
  /**
   * Milliseconds that npm waits for a response of the registry; absent is 9000. npm retries once after a second, so a
   * registry that does not respond is reported after 19 s. A download that makes progress may take longer.
   */
  readonly registryTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Receives one line for each step, and for each file that npm fetches. */
  readonly onProgress?: (line: string) => void;
};

/** npm's codes for a package or version that is not in the registry. */
const missingCodes = new Set(['E404', 'ETARGET', 'ENOVERSIONS']);

/** npm's codes for a registry that cannot be reached or does not respond. */
const unreachableCodes =
  /^(FETCH_ERROR|E5\d\d|ENOTFOUND|EAI_AGAIN|ECONN\w+|EHOSTUNREACH|ENETUNREACH|E\w*TIMEDOUT|E\w*TIMEOUT|ERR_SOCKET_TIMEOUT)$/;

/**
 * Runs `npm install @openai/codex@VERSION` in a folder. The user's npm configuration applies (registry, proxy,
 * certificates, credentials), except for what would change the result: the optional package of the platform is always
 * installed, and no scripts run.
 *
 * @throws ParityError `unknown-version`, `registry-silent`, `interrupted`, or `install-failed` with npm's own message.
 */
export async function npmInstall(version: string, folder: string, options: NpmOptions): Promise<void> {
  const { onProgress } = options;
  const args = [
    ...['install', `@openai/codex@${version}`],
    ...['--prefix', '.', '--no-global', '--include=optional', '--ignore-scripts'],
    ...['--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--no-update-notifier'],
    '--loglevel=http',
  ];
  onProgress?.(`installing Codex ${version} with npm`);
  await runNpm(version, args, folder, options, (line) => {
    const fetched = /^npm http \w+ (.*)$/.exec(line)?.[1];
    if (fetched !== undefined) onProgress?.(fetched);
  });
}

/** Throws the ParityError of `npmInstall` for a version that cannot be installed, without installing it. */
export async function mustBeReleased(version: string, folder: string, options: NpmOptions): Promise<void> {
  await runNpm(version, ['view', `@openai/codex@${version}`, 'version'], folder, options);
}

/** Runs npm for a version. Throws the ParityError of `npmInstall`. */
async function runNpm(
  version: string,
  args: readonly string[],
  folder: string,
  options: NpmOptions,
  onStderrLine: (line: string) => void = () => {},
): Promise<void> {
  const { signal, registry, registryTimeoutMs = 9_000 } = options;
  const common = [
    ...['--fetch-retries=1', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=1000'],
    ...[`--fetch-timeout=${registryTimeoutMs}`, '--json'],
    ...(registry === undefined ? [] : [`--registry=${registry}`]),
  ];
  const run = await npm([...args, ...common], folder, { signal, onStderrLine });
  if (run.ended === 'abort')
    throw new ParityError('interrupted', `Installing Codex ${version} was interrupted`);
  if (run.exitCode !== 0) throw await npmFailure(version, run, folder, options);
}

/** The newest released version in the registry. Throws ParityError `registry-silent` when it cannot be read. */
export async function latestVersion(signal: AbortSignal): Promise<string> {
  const args = ['view', '@openai/codex', 'dist-tags.latest', '--fetch-retries=1', '--fetch-timeout=9000'];
  const { stdout, exitCode } = await npm(args, process.cwd(), { signal });
  const version = stdout.trim();
  if (exitCode === 0 && isVersion(version)) return version;
  const registry = await configuredRegistry(process.cwd());
  throw new ParityError(
    'registry-silent',
    `cannot read the newest version of Codex from the npm registry ${registry}: name a version with --codex`,
  );
}

/** The error for a version that does not exist or is not one. */
export function unknownVersion(text: string, reason: string): ParityError {
  return new ParityError(
    'unknown-version',
    `Codex ${JSON.stringify(text)} ${reason}. List the released versions with: npm view @openai/codex versions`,
  );
}

async function npmFailure(
  version: string,
  run: GroupRun,
  folder: string,
  options: NpmOptions,
): Promise<ParityError> {
  const { code, summary } = npmError(run);
  const registry = options.registry ?? (await configuredRegistry(folder));
  if (missingCodes.has(code)) return unknownVersion(version, `is not in the registry ${registry}`);
  if (unreachableCodes.test(code)) {
    return new ParityError(
      'registry-silent',
      `The npm registry ${registry} did not respond (${code}): check the network, or npm's registry and proxy settings`,
    );
  }
  return new ParityError(
    'install-failed',
    `npm could not install Codex ${version}: ${code} ${summary}`.trimEnd(),
  );
}

/** With `--json`, npm prints its error on standard output as `{"error":{"code","summary","detail"}}`. */
function npmError(run: GroupRun): { code: string; summary: string } {
  const start = run.stdout.indexOf('{');
  try {
    const { error }: { error?: { code?: unknown; summary?: unknown } } = JSON.parse(run.stdout.slice(start));
    return { code: String(error?.code ?? ''), summary: firstLine(String(error?.summary ?? '')) };
  } catch {
    return { code: `exit code ${run.exitCode}`, summary: firstLine(run.stderr) };
  }
}

/** The registry that npm uses for this package, without credentials in its URL. */
async function configuredRegistry(folder: string): Promise<string> {
  const { stdout } = await npm(['config', 'get', '@openai:registry', 'registry'], folder, {});
  return firstRegistry(stdout) ?? 'of your npm configuration';
}

/** The first of the lines KEY=URL that has a URL, without credentials. npm prints KEY=undefined for what is not configured. */
export function firstRegistry(lines: string): string | undefined {
  const urls = lines.split('\n').map((line) => line.slice(line.indexOf('=') + 1).trim());
  const url = urls.find((text) => URL.canParse(text));
  return url && new URL(url).origin + new URL(url).pathname;
}

async function npm(
  args: readonly string[],
  cwd: string,
  options: Pick<GroupOptions, 'signal' | 'onStderrLine'>,
): Promise<GroupRun> {
  try {
    // npm is the only program that inherits our environment, which may contain its configuration.
    const env = definedOnly(process.env);
    return await runInGroup(['npm', ...args], { ...options, cwd, env, shell: onWindows });
  } catch (cause) {
    const message = 'npm was not found on PATH: it is needed to install the official client';
    throw new ParityError('install-failed', message, { cause });
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}

/** Milliseconds until a ping fails. */
const pingTimeout = 5_000;

/** Pings the npm registry of the official clients. `detail` is for people. */
export async function pingRegistry(
  signal: AbortSignal,
): Promise<{ url: string; ok: boolean; detail: string }> {
  const url = await configuredRegistry(process.cwd());
  if (!URL.canParse(url)) return { url, ok: false, detail: 'npm has no registry configured' };
  return { url, ...(await ping(new URL('-/ping', url.endsWith('/') ? url : `${url}/`), signal)) };
}

/** Requests the ping URL of a registry. */
export async function ping(url: URL, signal: AbortSignal): Promise<{ ok: boolean; detail: string }> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(pingTimeout)]),
    });
    return { ok: response.ok, detail: response.ok ? 'responds' : `responds with status ${response.status}` };
  } catch (error) {
    const timedOut = error instanceof Error && error.name === 'TimeoutError';
    return {
      ok: false,
      detail: timedOut ? `no response within ${pingTimeout / 1000} s` : 'cannot be reached',
    };
  }
}
