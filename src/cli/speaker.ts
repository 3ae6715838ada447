import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Options } from 'yargs';
import { hostOf } from '../check/subject.ts';
import { ParityError } from '../errors.ts';
import { newestVersion, selectGoldens } from '../golden/select.ts';
import { isLoopback } from '../proxy/guard.ts';
import { hostTexts } from '../proxy/host.ts';
import type { ProxyOptions } from '../proxy/server.ts';
import { loadShape } from '../proxy/shape/load-shape.ts';
import { Accounts } from '../proxy/sign-in/accounts.ts';
import { defaultAuthFile, readSignIn, type SignIn } from '../proxy/sign-in/load.ts';
import { officialTokenUrl } from '../proxy/sign-in/token-endpoint.ts';
import { isUuid4 } from '../wire/ids.ts';
import { goldensOption } from './options.ts';

/** As what and for whom a proxy speaks. */
export type Speaker = {
  readonly codex: string;
  readonly lane: SignIn['lane'];
  readonly options: Pick<ProxyOptions, 'shape' | 'signIn' | 'renew' | 'installation'>;
};

/** Where the official client asks, by how it is signed in. */
export const officialUpstreams: Readonly<Record<SignIn['lane'], string>> = {
  chatgpt: 'https://chatgpt.com/backend-api/codex',
  'api-key': 'https://api.openai.com/v1',
};

/** How a command is told as what it is to speak, and to whom. */
export type SpeakerOptions = {
  readonly upstream: string | undefined;
  readonly auth: string | undefined;
  readonly codex: string | undefined;
  readonly goldens: string;
};

/** The same for the command line; `when` is added to what only sometimes counts. */
export function speakerOptions(when = '') {
  return {
    upstream: {
      type: 'string',
      defaultDescription: `${officialUpstreams.chatgpt}, or ${officialUpstreams['api-key']} for an API key`,
      describe: `Base URL of the backend${when}`,
    },
    auth: {
      type: 'string',
      defaultDescription: '$CODEX_HOME/auth.json or ~/.codex/auth.json',
      describe: `The sign-in to use, as "codex login" writes it, or a folder of several${when}`,
    },
    codex: {
      type: 'string',
      defaultDescription: 'the newest that has goldens',
      describe: 'Version of the official client to speak like',
    },
    goldens: goldensOption,
  } as const satisfies Readonly<Record<string, Options>>;
}

/** Names another token endpoint; the official client reads it too. */
const tokenUrlVariable = 'CODEX_REFRESH_TOKEN_URL_OVERRIDE';

/**
 * The speaker for a sign-in, in the shape of a version: the newest that has goldens unless given. Throws ParityError
 * where the sign-in, the version or its goldens are missing.
 */
export async function speakerFor(options: Omit<SpeakerOptions, 'upstream'>): Promise<Speaker> {
  const { goldens, auth = defaultAuthFile(process.env), codex = newestVersion(goldens) } = options;
  selectGoldens(goldens, [codex], undefined);
  const lane = laneOf(auth);
  const shape = await loadShape(goldens, codex, lane);
  const installation = installationBeside(auth);
  const accounts = new Accounts(auth, {
    url: tokenUrl(process.env[tokenUrlVariable]),
    ...shape.client(hostTexts(installation)),
  });
  // Looked at once before anyone connects: a sign-in that is missing is better told now.
  accounts.check();
  const speaks: Speaker['options'] = {
    shape,
    signIn: async (session) => ofLane(lane, await accounts.forSession(session).current()),
    renew: async (session, refused) => ofLane(lane, await accounts.forSession(session).afterRefusal(refused)),
    installation,
  };
  return { codex, lane, options: speaks };
}

/** Throws ParityError for what is no URL of a backend. */
export function upstreamAt(text: string): URL {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return new URL(text);
  throw new ParityError('usage', `--upstream "${text}" must be an http or https URL`);
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

/** Where tokens are renewed. Throws ParityError for what is no URL, and for one to which they would go in the clear. */
function tokenUrl(text: string | undefined): URL {
  if (text === undefined) return officialTokenUrl;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(hostOf(url).host))) return url;
  throw new ParityError(
    'usage',
    `${tokenUrlVariable} must be an https URL, or an http URL on this machine, and is "${text}"`,
  );
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
