import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import pino from 'pino';
import type { CommandModule } from 'yargs';
import { configFiles, readConfig } from '../config/config.ts';
import { ParityError } from '../errors.ts';
import { isLoopback } from '../proxy/guard.ts';
import { hostTexts } from '../proxy/host.ts';
import { loadShape } from '../proxy/load.ts';
import type { Logger } from '../proxy/log.ts';
import { startProxy } from '../proxy/server.ts';
import { Accounts } from '../proxy/sign-in/accounts.ts';
import { officialTokenUrl } from '../proxy/sign-in/token-endpoint.ts';
import { defaultAuthFile, readSignIn, type SignIn } from '../proxy/sign-in.ts';
import { recordUpstream } from '../record/upstream.ts';
import { isUuid4 } from '../wire/ids.ts';
import type { CommandContext } from './context.ts';
import { goldenFolder, newestVersion, selectGoldens } from './goldens.ts';
import { progress } from './progress.ts';

type Options = {
  port: number;
  host: string;
  upstream: string | undefined;
  auth: string;
  codex: string | undefined;
  goldens: string;
  record: string | undefined;
  grace: number;
  'log-level': (typeof levels)[number];
};

const levels = ['debug', 'info', 'warn', 'silent'] as const;

const upstreams: Readonly<Record<SignIn['lane'], string>> = {
  chatgpt: 'https://chatgpt.com/backend-api/codex',
  'api-key': 'https://api.openai.com/v1',
};

/** Names another token endpoint; the official client reads it too. */
const tokenUrlVariable = 'CODEX_REFRESH_TOKEN_URL_OVERRIDE';

/** Where the key stands that clients must show: not on the command line, which other users can read. */
const keyVariable = 'CODEX_PARITY_API_KEY';

/** Before the names of options in the environment. */
const environmentPrefix = 'CODEX_PARITY_PROXY';

export function proxyCommand({ signal }: CommandContext): CommandModule<object, Options> {
  return {
    command: 'proxy',
    describe: 'Run a Codex proxy whose requests have the shape of a golden',
    builder: (yargs) =>
      yargs
        .config(configured().options)
        .env(environmentPrefix)
        .option('port', { type: 'number', default: 8320, describe: 'Port to listen on' })
        .option('host', {
          type: 'string',
          default: '127.0.0.1',
          describe: `Address to listen on; others than loopback need an API key in ${keyVariable}`,
        })
        .option('upstream', {
          type: 'string',
          defaultDescription: `${upstreams.chatgpt}, or ${upstreams['api-key']} for an API key`,
          describe: 'Base URL of the backend',
        })
        .option('auth', {
          type: 'string',
          default: defaultAuthFile(process.env),
          defaultDescription: '$CODEX_HOME/auth.json or ~/.codex/auth.json',
          describe: 'The sign-in to use, as "codex login" writes it, or a folder of several',
        })
        .option('codex', {
          type: 'string',
          describe: 'Version of the official client to speak like',
          defaultDescription: 'the newest that has goldens',
        })
        .option('goldens', {
          type: 'string',
          default: goldenFolder,
          defaultDescription: 'those that come along',
          describe: 'Folder of the goldens',
        })
        .option('record', {
          type: 'string',
          describe: 'Folder to write a sealed trace to, of all that is sent and answered upstream',
        })
        .option('grace', {
          type: 'number',
          default: 30,
          describe: 'Seconds that running turns are given to end when the proxy is stopped',
        })
        .option('log-level', { choices: levels, default: 'info' as const, describe: 'What is logged' })
        .epilogue(
          `Options may also stand in the environment (${environmentPrefix}_PORT=8320) and, behind that, in the file ${configFiles.join(' or ')} under "proxy", where the limits are too.`,
        )
        .example('$0 proxy', 'listen on port 8320 with your own sign-in')
        .example(
          `codex -c 'openai_base_url="http://127.0.0.1:8320/backend-api/codex"'`,
          'point the official client at it',
        ),
    handler: async (options) => {
      const { port, host, auth, goldens, grace } = options;
      const key = keyFor(host, process.env[keyVariable]);
      const version = options.codex ?? newestVersion(goldens);
      selectGoldens(goldens, [version], undefined);
      const lane = laneOf(auth);
      const shape = await loadShape(goldens, version, lane);
      const installation = installationBeside(auth);
      const accounts = new Accounts(auth, {
        url: tokenUrl(process.env[tokenUrlVariable]),
        ...shape.client(hostTexts(installation)),
      });
      // Looked at once before anyone connects: a sign-in that is missing is better told now.
      accounts.check();
      const upstream = upstreamAt(options.upstream ?? upstreams[lane]);
      if (!(grace >= 0)) throw new ParityError('usage', '--grace must be a number of seconds');
      const recording =
        options.record === undefined ? undefined : await recordUpstream(upstream, resolve(options.record));
      try {
        const proxy = await startProxy({
          shape,
          signIn: async (session) => ofLane(lane, await accounts.forSession(session).current()),
          renew: async (session, refused) => {
            return ofLane(lane, await accounts.forSession(session).afterRefusal(refused));
          },
          upstream: recording?.url ?? upstream,
          host: upstream.host,
          address: host,
          port,
          key,
          installation,
          limits: configured().limits,
          log: logger(options['log-level']),
        });
        progress(`speaking like codex ${version} to ${upstream.href}`);
        progress(
          `listening on http://${host.includes(':') ? `[${host}]` : host}:${proxy.port}/backend-api/codex`,
        );
        if (recording !== undefined) progress(`recording to ${recording.path}`);
        await new Promise<void>((stop) => signal.addEventListener('abort', () => stop(), { once: true }));
        await proxy.close(grace * 1000);
      } finally {
        await recording?.finish();
      }
    },
  };
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

/** How a file signs in; a folder holds ChatGPT sign-ins. Throws ParityError where there is none. */
function laneOf(auth: string): SignIn['lane'] {
  const isFolder = statSync(auth, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder ? 'chatgpt' : readSignIn(auth).lane;
}

/** One shape holds for one way of signing in. */
function ofLane(lane: SignIn['lane'], signIn: SignIn): SignIn {
  if (signIn.lane === lane) return signIn;
  throw new ParityError(
    'bad-sign-in',
    `the proxy was started for ${lane} sign-ins: start another for ${signIn.lane}`,
  );
}

/** Where tokens are renewed. Throws ParityError for what is no URL. */
function tokenUrl(text: string | undefined): URL {
  if (text === undefined) return officialTokenUrl;
  if (URL.canParse(text)) return new URL(text);
  throw new ParityError('usage', `${tokenUrlVariable} must be a URL, not "${text}"`);
}

function upstreamAt(text: string): URL {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return new URL(text);
  throw new ParityError('usage', `--upstream "${text}" must be an http or https URL`);
}

/** The id of the installation that the sign-in belongs to: the official client keeps it beside auth.json. */
function installationBeside(auth: string): string | undefined {
  try {
    const id = readFileSync(join(dirname(auth), 'installation_id'), 'utf8').trim();
    return isUuid4(id) ? id : undefined;
  } catch {
    return undefined;
  }
}

/** Structured lines on standard error. */
function logger(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}
