import { resolve } from 'node:path';
import pino from 'pino';
import type { CommandModule } from 'yargs';
import { configFiles, readConfig } from '../config/config.ts';
import { ParityError } from '../errors.ts';
import { isLoopback } from '../proxy/guard.ts';
import type { Logger } from '../proxy/log.ts';
import { type RunningProxy, startProxy } from '../proxy/server.ts';
import { recordUpstream } from '../record/record-upstream.ts';
import type { CommandContext } from './command-context.ts';
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

type ProxyCommandOptions = SetupOptions & {
  port: number;
  host: string;
  record: string | undefined;
  grace: number;
  'log-level': (typeof levels)[number];
};

/** Seconds that running turns may be given to end: a day. */
const longestGrace = 86_400;

const levels = ['debug', 'info', 'warn', 'silent'] as const;

/** Where the key stands that clients must show: not on the command line, which other users can read. */
const keyVariable = 'CODEX_PARITY_API_KEY';

/** Before the names of options in the environment. */
const environmentPrefix = 'CODEX_PARITY_PROXY';

export function proxyCommand({ signal }: CommandContext): CommandModule<object, ProxyCommandOptions> {
  return {
    command: 'proxy',
    describe: 'Run a Codex proxy whose requests have the shape of a golden',
    builder: (yargs) => {
      forgetEmpty(process.env);
      return yargs
        .config(configured().options)
        .env(environmentPrefix)
        .option('port', { requiresArg: true, type: 'number', default: 8320, describe: 'Port to listen on' })
        .option('host', {
          type: 'string',
          default: '127.0.0.1',
          describe: `Address to listen on; others than loopback need an API key in ${keyVariable}`,
        })
        .options(setupOptions())
        .option('record', {
          type: 'string',
          describe: 'Folder to write a sealed trace to, of all that is sent and answered upstream',
        })
        .option('grace', {
          requiresArg: true,
          type: 'number',
          default: 30,
          describe: 'Seconds that running turns are given to end when the proxy is stopped',
        })
        .option('log-level', {
          requiresArg: true,
          choices: levels,
          default: 'info' as const,
          describe: 'What is logged',
        })
        .epilogue(
          `ProxyCommandOptions may also stand in the environment (${environmentPrefix}_PORT=8320) and, behind that, in the file ${configFiles.join(' or ')} under "proxy", where the limits are too.`,
        )
        .example('$0 proxy', 'listen on port 8320 with your own sign-in')
        .example(
          `codex -c 'openai_base_url="http://127.0.0.1:8320/backend-api/codex"'`,
          'point the official client at it',
        );
    },
    handler: async (options) => {
      const { port, host, grace } = options;
      mustBePort('port', port);
      if (!(grace >= 0 && grace <= longestGrace)) {
        throw new ParityError('usage', `--grace must be a number of seconds, ${longestGrace} at most`);
      }
      const key = keyFor(host, process.env[keyVariable]);
      const setup = await loadSetup(options);
      const upstream = parseUpstream(options.upstream ?? officialUpstreams[setup.lane]);
      const recording =
        options.record === undefined ? undefined : await recordUpstream(upstream, resolve(options.record));
      try {
        const proxy = await startProxy({
          ...setup.options,
          upstream: recording?.url ?? upstream,
          host: upstream.host,
          address: host,
          port,
          key,
          limits: configured().limits,
          log: logger(options['log-level']),
        });
        progress(`speaking like codex ${setup.codex} to ${upstream.href}`);
        if (upstream.protocol === 'http:' && !isLoopback(upstream.hostname.replaceAll(/[[\]]/g, ''))) {
          progress('the upstream is no https URL: the sign-in can be read on the way there');
        }
        progress(
          `listening on http://${host.includes(':') ? `[${host}]` : host}:${proxy.port}/backend-api/codex`,
        );
        if (recording !== undefined) progress(`recording to ${recording.path}`);
        returnIdleMemory();
        await new Promise<void>((stop) => signal.addEventListener('abort', () => stop(), { once: true }));
        await stopped(proxy, grace * 1000);
      } finally {
        await recording?.finish();
      }
    },
  };
}

/** Stops the proxy; a second signal ends the grace time. */
async function stopped(proxy: RunningProxy, grace: number): Promise<void> {
  const hurry = () => void proxy.close();
  for (const name of signals) process.once(name, hurry);
  await proxy.close(grace);
  for (const name of signals) process.removeListener(name, hurry);
}

const signals = ['SIGINT', 'SIGTERM'] as const;

/** An empty variable is one that is not set, as for most programs; the library would take an empty port for 0. */
function forgetEmpty(env: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith(`${environmentPrefix}_`) && value === '') delete env[name];
  }
}

/** What the file in the working folder says of the proxy. */
function configured() {
  const { limits = {}, ...options } = readConfig(process.cwd()).proxy ?? {};
  return { limits, options };
}

/** The key that clients must show. Throws ParityError where there must be one. */
function keyFor(host: string, key: string | undefined): string | undefined {
  if (key !== undefined && key.length < 16) {
    throw new ParityError('usage', `the API key in ${keyVariable} must have at least 16 characters`);
  }
  if (key === undefined && !isLoopback(host)) {
    throw new ParityError(
      'usage',
      `listening on ${host} needs an API key that clients must send: set ${keyVariable}`,
    );
  }
  return key;
}

/** Structured lines on standard error. */
function logger(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}
