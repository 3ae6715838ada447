import { once } from 'node:events';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import pino from 'pino';
import type { CommandModule } from 'yargs';
import type { Config } from '../config/config.ts';
import { configFiles, hasConfig } from '../config/config-file.ts';
import { ParityError } from '../errors.ts';
import { isLoopback, nameIn } from '../proxy/guard.ts';
import { defaultLimits } from '../proxy/limits.ts';
import type { Logger } from '../proxy/log.ts';
import { type ProxyOptions, startProxy } from '../proxy/server.ts';
import { sharedInstallation } from '../proxy/state/shared-installation.ts';
import type { SharedState } from '../proxy/state/shared-state.ts';
import type { CommandContext } from './command-context.ts';
import { examples } from './help.ts';
import { passBytesOn, returnIdleMemory } from './idle-memory.ts';
import { optimizeEarly } from './optimize-early.ts';
import { mustBePort, mustBeWhole } from './options.ts';
import { progress } from './progress.ts';
import { loadSetup, type SetupOptions, setupOptions } from './proxy-setup.ts';
import { connectWorker, type ProxyWorker } from './proxy-worker.ts';
import { officialUpstreams, parseUpstream } from './upstream.ts';
import { environmentPrefix } from './usage.ts';
import { openWatch, type WatchViewOptions, watchViewOptions } from './watch-options.ts';

type ProxyCommandOptions = SetupOptions &
  WatchViewOptions & {
    port: number;
    host: string;
    'allow-host': string[];
    state: string | undefined;
    record: string | undefined;
    watch: boolean;
    grace: number;
    drain: number;
    workers: number;
    'log-level': (typeof levels)[number];
  };

/** The longest time to stop in seconds: a day. */
const longestGrace = 86_400;

const levels = ['debug', 'info', 'warn', 'silent'] as const;

/** The variable with the API key of clients. Other users of the machine could read it on the command line. */
const keyVariable = 'CODEX_PARITY_API_KEY';

export async function proxyCommand(
  context: CommandContext,
): Promise<CommandModule<object, ProxyCommandOptions>> {
  const configured = await configuration(process.cwd());
  return {
    command: 'proxy',
    describe: 'Run a proxy that sends requests to the Codex backend like the official client',
    builder: (yargs) => {
      removeEmpty(process.env);
      return yargs
        .usage(
          '$0 proxy [options]\n\n' +
            'Serves the Responses API (websocket and HTTP), chat completions and models on /v1, and the Codex backend API ' +
            'on /backend-api/codex. Stop it with SIGINT (Ctrl-C), SIGTERM or SIGHUP.',
        )
        .config(configured().options)
        .env(environmentPrefix)
        .option('port', { requiresArg: true, type: 'number', default: 8320, describe: 'Port to listen on' })
        .option('host', {
          type: 'string',
          default: '127.0.0.1',
          defaultDescription: '127.0.0.1',
          describe: `Address to listen on; if it is not loopback, clients need the API key in ${keyVariable}`,
        })
        .option('allow-host', {
          type: 'string',
          array: true,
          nargs: 1,
          default: [],
          defaultDescription: 'none',
          describe:
            'Further name by which clients without an API key may reach the proxy; repeat it for several',
        })
        .options(setupOptions())
        .option('state', {
          type: 'string',
          defaultDescription: 'memory',
          describe:
            'URL of a Redis server with the state that several proxies share, such as redis://127.0.0.1:6379',
        })
        .option('record', {
          type: 'string',
          describe: 'Folder for a trace of the upstream traffic, without secrets',
        })
        .option('watch', {
          type: 'boolean',
          default: false,
          describe: 'Show live what goes upstream, as the command watch does',
        })
        .options(watchViewOptions(', with --watch'))
        .option('grace', {
          requiresArg: true,
          type: 'number',
          default: 30,
          describe: 'Seconds to wait for running turns when the proxy is stopped',
        })
        .option('drain', {
          requiresArg: true,
          type: 'number',
          default: 0,
          describe:
            'Seconds to serve on when the proxy is stopped, while /readyz tells balancers that it is not ready',
        })
        .option('workers', {
          requiresArg: true,
          type: 'number',
          default: 1,
          describe: 'Processes that share the port and the work, to use several cores',
        })
        .option('log-level', {
          requiresArg: true,
          choices: levels,
          default: 'info' as const,
          defaultDescription: 'info',
          describe: 'Lowest level to log',
        })
        .epilogue(
          `An option can also be set in the environment (${environmentPrefix}_PORT=8320), or under "proxy" in ${configFiles.join(' or ')}. The environment takes precedence over the file. Limits can be set in the file only.\n\n${examples(
            [
              ['Listen on port 8320 with your own sign-in', 'codex-parity proxy'],
              [
                'Use the proxy with the official client',
                `codex -c 'openai_base_url="http://127.0.0.1:8320/backend-api/codex"'`,
              ],
              ['Use four cores', 'codex-parity proxy --workers 4'],
              [
                'Share sessions and the renewal of the sign-in with proxies on other machines',
                'codex-parity proxy --state redis://127.0.0.1:6379',
              ],
              [
                'Use the proxy with another program',
                'OPENAI_BASE_URL=http://127.0.0.1:8320/v1 OPENAI_API_KEY=any your-program',
              ],
            ],
          )}`,
        );
    },
    handler: async (options) => {
      const { port, host } = options;
      mustBePort('port', port);
      for (const name of ['grace', 'drain'] as const) {
        if (!(options[name] >= 0 && options[name] <= longestGrace)) {
          throw new ParityError(
            'usage',
            `--${name} "${options[name]}" must be from 0 to ${longestGrace} seconds`,
          );
        }
      }
      const clients = {
        key: keyFor(host, process.env[keyVariable]),
        allowedHosts: hostNames(options['allow-host']),
      };
      checkWorkers(options);
      const { limits } = configured();
      const log = logger(options['log-level']);
      const openState = await stateAt(options.state);
      const worker = await connectWorker();
      if (worker === undefined && options.workers > 1) {
        return context.exit(await runAsParent(options, { signal: context.signal, log, limits }));
      }
      let state: SharedState | undefined;
      try {
        state = openState ? await openState(log) : worker?.state;
        await serve(options, {
          ...clients,
          ...{ state, log, limits, worker },
          signal: worker?.signal ?? context.signal,
        });
      } finally {
        await state?.close();
        worker?.end();
      }
    },
  };
}

/** Returns what connects to the Redis of --state; undefined without one. Throws ParityError for what is not its URL. */
async function stateAt(text: string | undefined) {
  if (text === undefined) return undefined;
  const { openRedisState, parseStateUrl } = await import('../proxy/state/redis-state.ts');
  const url = parseStateUrl(text);
  return (log: Logger): Promise<SharedState> => openRedisState(url, log);
}

/** The most workers: more than any machine has cores. */
const mostWorkers = 256;

function checkWorkers({ workers, record, watch }: ProxyCommandOptions): void {
  mustBeWhole('workers', workers, 1, mostWorkers);
  const name = watch ? 'watch' : 'record';
  if (workers > 1 && (watch || record !== undefined)) {
    throw new ParityError('usage', `--${name} sees one process only: leave out --workers`);
  }
}

/** Runs the workers until they are stopped. Returns the exit code. */
async function runAsParent(
  { workers: count, host, port, grace, drain }: ProxyCommandOptions,
  { signal, log, limits }: Pick<Serving, 'signal' | 'log' | 'limits'>,
): Promise<number> {
  const hurry = new AbortController();
  const times = { grace: grace * 1000, drain: drain * 1000 };
  signal.addEventListener('abort', () => onSignal(() => hurry.abort()), { once: true });
  const all = { ...defaultLimits, ...limits };
  const { runWorkers } = await import('./proxy-workers.ts');
  return runWorkers({ count, host, port, signal, hurry: hurry.signal, times, limits: all, log });
}

type Serving = Pick<ProxyOptions, 'key' | 'allowedHosts' | 'state' | 'log' | 'limits'> & {
  /** Stops the proxy. */
  readonly signal: AbortSignal;
  /** If this process is one of several. */
  readonly worker: ProxyWorker | undefined;
};

/** Runs the proxy until it is stopped. */
async function serve(
  options: ProxyCommandOptions,
  { state, signal, worker, ...serving }: Serving,
): Promise<void> {
  const { host, grace, drain } = options;
  const port = worker?.port ?? options.port;
  const setup = await loadSetup(options, state);
  const upstream = parseUpstream(options.upstream ?? officialUpstreams[setup.lane]);
  const recording =
    options.record === undefined
      ? undefined
      : await (await recorder()).recordUpstream(upstream, resolve(options.record), progress);
  let watching: WatchedUpstream | undefined;
  try {
    watching = options.watch ? await watchUpstream(options, upstream, recording?.url ?? upstream) : undefined;
    const proxy = await startProxy({
      ...setup.options,
      ...serving,
      upstream: watching?.url ?? recording?.url ?? upstream,
      host: upstream.host,
      address: host,
      port,
      installation: setup.options.installation ?? (await sharedInstallation(state)),
      state,
      otherMetrics: worker?.otherMetrics,
    });
    await worker?.listening(proxy.metrics);
    const announce = worker?.announces === false ? () => {} : progress;
    announce(`imitating codex ${setup.codex}, upstream ${upstream.href}`);
    if (upstream.protocol === 'http:' && !isLoopback(upstream.hostname.replaceAll(/[[\]]/g, ''))) {
      announce('warning: the upstream is not an https URL: the sign-in is sent unencrypted');
    }
    announce(
      `listening on http://${host.includes(':') ? `[${host}]` : host}:${proxy.port}/backend-api/codex`,
    );
    if (state !== undefined && worker?.state !== state) announce(`sharing state in ${state.name}`);
    if (recording !== undefined) progress(`recording to ${recording.path}`);
    if (watching !== undefined) progress(`live page ${watching.page}`);
    passBytesOn();
    optimizeEarly();
    returnIdleMemory();
    if (!signal.aborted) await once(signal, 'abort');
    const stopped = proxy.close({ grace: grace * 1000, drain: drain * 1000 });
    const hurry = () => void proxy.close();
    const forget = worker === undefined ? onSignal(hurry) : undefined;
    worker?.hurry.addEventListener('abort', hurry, { once: true });
    await stopped;
    forget?.();
  } finally {
    await watching?.close();
    await recording?.finish();
  }
}

type WatchedUpstream = {
  /** What the proxy uses in place of its upstream. */
  readonly url: URL;
  readonly page: string | undefined;
  readonly close: () => Promise<void>;
};

/** Loaded when it is needed: it takes megabytes. */
const recorder = () => import('../record/record-live.ts');

/** Starts a live view of what goes to an upstream, in front of `server`. */
async function watchUpstream(
  options: WatchViewOptions,
  upstream: URL,
  server: URL,
): Promise<WatchedUpstream> {
  const watch = await openWatch(options, { listen: 'the proxy', upstream: upstream.href });
  const { observe, listen } = watch;
  const { tapInFrontOf } = await recorder();
  const tap = await tapInFrontOf(server, { observe, listen, onProblem: progress, authority: upstream.host });
  const close = async () => {
    await tap.close();
    await watch.close();
  };
  return { url: tap.url, page: watch.url, close };
}

/** Calls back when the process receives a signal to stop, which is its second one then. Returns what forgets it. */
function onSignal(callback: () => void): () => void {
  for (const name of signals) process.once(name, callback);
  return () => {
    for (const name of signals) process.removeListener(name, callback);
  };
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Treats empty variables as unset. Yargs would read an empty port as 0. */
function removeEmpty(env: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith(`${environmentPrefix}_`) && value === '') delete env[name];
  }
}

/**
 * Returns what reads the settings of the proxy in the configuration file of a folder. Only if there is a file, it loads the schema,
 * which takes megabytes.
 */
async function configuration(folder: string) {
  const read: (folder: string) => Config = hasConfig(folder)
    ? (await import('../config/config.ts')).readConfig
    : () => ({});
  return () => {
    const { limits = {}, ...options } = read(folder).proxy ?? {};
    return { limits, options };
  };
}

/** Checks the API key of clients. Throws ParityError if it is too short, or missing for an address other than loopback. */
function keyFor(host: string, key: string | undefined): string | undefined {
  if (key !== undefined && key.length < 16) {
    throw new ParityError('usage', `the API key in ${keyVariable} is too short: use at least 16 characters`);
  }
  if (key === undefined && !isLoopback(host)) {
    throw new ParityError('usage', `clients of ${host} need an API key: set ${keyVariable}`);
  }
  return key;
}

/** Checks the values of --allow-host, which may be lists in the environment. Throws ParityError for what is not a name. */
function hostNames(values: readonly string[]): string[] {
  const names = values.flatMap((value) => value.split(',')).map((name) => name.trim());
  const wrong = names.find(
    (name) => !/^[\w.:-]+$/.test(name) || (nameIn(name) !== name.toLowerCase() && isIP(name) === 0),
  );
  if (wrong === undefined) return names;
  throw new ParityError(
    'usage',
    `--allow-host "${wrong}" is not the name of a host: leave out scheme, port and path`,
  );
}

/** Logs JSON lines to standard error. */
function logger(level: string): Logger {
  const destination = pino.destination(2);
  // A full disk or a closed terminal must not end the proxy.
  destination.on('error', () => {});
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
