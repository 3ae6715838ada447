import { isIP } from 'node:net';
import { resolve } from 'node:path';
import pino from 'pino';
import type { CommandModule } from 'yargs';
import { configFiles, readConfig } from '../config/config.ts';
import { ParityError } from '../errors.ts';
import { isLoopback, nameIn } from '../proxy/guard.ts';
import type { Logger } from '../proxy/log.ts';
import { type ProxyOptions, type RunningProxy, type StopTimes, startProxy } from '../proxy/server.ts';
import { openRedisState, parseStateUrl } from '../proxy/state/redis-state.ts';
import { sharedInstallation } from '../proxy/state/shared-installation.ts';
import { recordUpstream, tapInFrontOf } from '../record/record-live.ts';
import type { CommandContext } from './command-context.ts';
import { examples } from './help.ts';
import { returnIdleMemory } from './idle-memory.ts';
import { mustBePort } from './options.ts';
import { progress } from './progress.ts';
import {
  loadSetup,
  officialUpstreams,
  parseUpstream,
  type SetupOptions,
  setupOptions,
} from './proxy-setup.ts';
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
    'log-level': (typeof levels)[number];
  };

/** The longest time to stop in seconds: a day. */
const longestGrace = 86_400;

const levels = ['debug', 'info', 'warn', 'silent'] as const;

/** The variable with the API key of clients. Other users of the machine could read it on the command line. */
const keyVariable = 'CODEX_PARITY_API_KEY';

export function proxyCommand({ signal }: CommandContext): CommandModule<object, ProxyCommandOptions> {
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
        .option('log-level', {
          requiresArg: true,
          choices: levels,
          default: 'info' as const,
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
          throw new ParityError('usage', `--${name} must be from 0 to ${longestGrace} seconds`);
        }
      }
      const clients = {
        key: keyFor(host, process.env[keyVariable]),
        allowedHosts: hostNames(options['allow-host']),
      };
      const log = logger(options['log-level']);
      const stateUrl = options.state === undefined ? undefined : parseStateUrl(options.state);
      const state = stateUrl && (await openRedisState(stateUrl, log));
      try {
        await serve(options, { ...clients, state, log, signal });
      } finally {
        await state?.close();
      }
    },
  };
}

type Serving = Pick<ProxyOptions, 'key' | 'allowedHosts' | 'state' | 'log'> & {
  /** Stops the proxy. */
  readonly signal: AbortSignal;
};

/** Runs the proxy until it is stopped. */
async function serve(options: ProxyCommandOptions, { state, signal, ...serving }: Serving): Promise<void> {
  const { port, host, grace, drain } = options;
  const setup = await loadSetup(options, state);
  const upstream = parseUpstream(options.upstream ?? officialUpstreams[setup.lane]);
  const recording =
    options.record === undefined
      ? undefined
      : await recordUpstream(upstream, resolve(options.record), progress);
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
      limits: configured().limits,
      installation: setup.options.installation ?? (await sharedInstallation(state)),
      state,
    });
    progress(`imitating codex ${setup.codex}, upstream ${upstream.href}`);
    if (upstream.protocol === 'http:' && !isLoopback(upstream.hostname.replaceAll(/[[\]]/g, ''))) {
      progress('warning: the upstream is not an https URL: the sign-in is sent unencrypted');
    }
    progress(
      `listening on http://${host.includes(':') ? `[${host}]` : host}:${proxy.port}/backend-api/codex`,
    );
    if (state !== undefined) progress(`sharing state in ${state.name}`);
    if (recording !== undefined) progress(`recording to ${recording.path}`);
    if (watching !== undefined) progress(`live page ${watching.page}`);
    returnIdleMemory();
    await new Promise<void>((aborted) => signal.addEventListener('abort', () => aborted(), { once: true }));
    await stop(proxy, { grace: grace * 1000, drain: drain * 1000 });
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

/** Starts a live view of what goes to an upstream, in front of `server`. */
async function watchUpstream(
  options: WatchViewOptions,
  upstream: URL,
  server: URL,
): Promise<WatchedUpstream> {
  const watch = await openWatch(options, { listen: 'the proxy', upstream: upstream.href });
  const { observe, listen } = watch;
  const tap = await tapInFrontOf(server, { observe, listen, onProblem: progress, authority: upstream.host });
  const close = async () => {
    await tap.close();
    await watch.close();
  };
  return { url: tap.url, page: watch.url, close };
}

/** Stops the proxy. A second signal ends the waiting. */
async function stop(proxy: RunningProxy, times: StopTimes): Promise<void> {
  const closeNow = () => void proxy.close();
  for (const name of signals) process.once(name, closeNow);
  await proxy.close(times);
  for (const name of signals) process.removeListener(name, closeNow);
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Treats empty variables as unset. Yargs would read an empty port as 0. */
function removeEmpty(env: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith(`${environmentPrefix}_`) && value === '') delete env[name];
  }
}

/** The settings of the proxy in the configuration file. */
function configured() {
  const { limits = {}, ...options } = readConfig(process.cwd()).proxy ?? {};
  return { limits, options };
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
