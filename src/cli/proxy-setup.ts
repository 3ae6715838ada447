import type { Options } from 'yargs';
import { ParityError } from '../errors.ts';
import { type GoldenFolders, selectGoldens, versionNamed } from '../golden/select.ts';
import { isLoopback, nameIn } from '../proxy/guard.ts';
import { loadProxySetup, type ProxySetup } from '../proxy/setup.ts';
import { defaultAuthFile } from '../proxy/sign-in/sign-in.ts';
import { officialTokenUrl } from '../proxy/sign-in/token-endpoint.ts';
import type { SharedState } from '../proxy/state/shared-state.ts';
import { goldensOption } from './options.ts';
import { officialUpstreams } from './upstream.ts';

/** The command-line options for goldens, sign-in and upstream of a proxy. */
export type SetupOptions = {
  readonly upstream: string | undefined;
  readonly auth: string | undefined;
  readonly codex: string | undefined;
  readonly goldens: GoldenFolders;
};

/** Declares SetupOptions for yargs. `when` is appended to the help of options that only sometimes apply. */
export function setupOptions(when = '') {
  return {
    upstream: {
      type: 'string',
      defaultDescription: `${officialUpstreams.chatgpt}, or ${officialUpstreams['api-key']} for an API key`,
      describe: `Base URL of the backend${when}`,
    },
    auth: {
      type: 'string',
      defaultDescription: '$CODEX_HOME/auth.json or ~/.codex/auth.json',
      describe: `Sign-in file written by "codex login", or a folder of several${when}`,
    },
    codex: {
      type: 'string',
      defaultDescription: 'the newest version that has goldens',
      describe: 'Version of the official client to imitate; "latest" is the newest that has goldens',
    },
    goldens: goldensOption(),
  } as const satisfies Readonly<Record<string, Options>>;
}

/** The environment variable with another token endpoint. The official client reads it too. */
const tokenUrlVariable = 'CODEX_REFRESH_TOKEN_URL_OVERRIDE';

/**
 * Loads goldens and sign-in for a proxy, of the newest version that has goldens unless one is given. Throws ParityError
 * if the sign-in, the version or its goldens are missing. `state`: what several processes of the proxy share.
 */
export async function loadSetup(
  { goldens, auth = defaultAuthFile(process.env), codex: name = 'latest' }: Omit<SetupOptions, 'upstream'>,
  state?: SharedState,
): Promise<ProxySetup> {
  const codex = versionNamed(goldens, name);
  // Throws if the named version has no goldens. "latest" has some.
  if (codex === name) selectGoldens(goldens, [codex]);
  return loadProxySetup({ goldens, codex, auth, tokenUrl: tokenUrl(process.env[tokenUrlVariable]), state });
}

/** Throws ParityError for an invalid URL, and for one that would send tokens unencrypted to another machine. */
function tokenUrl(text: string | undefined): URL {
  if (text === undefined) return officialTokenUrl;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(nameIn(url.host)))) return url;
  throw new ParityError(
    'usage',
    `${tokenUrlVariable} is "${text}": it must be an https URL, or an http URL on this machine`,
  );
}
