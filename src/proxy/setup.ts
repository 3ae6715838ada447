import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ParityError } from '../errors.ts';
import type { GoldenFolders } from '../golden/select.ts';
import { isUuid4 } from '../wire/ids.ts';
import { hostTexts } from './host.ts';
import type { ProxyOptions } from './server.ts';
import { loadShape } from './shape/shape.ts';
import { Accounts } from './sign-in/accounts.ts';
import { readSignIn } from './sign-in/auth-file.ts';
import type { SignIn } from './sign-in/sign-in.ts';
import type { SharedState } from './state/shared-state.ts';

export type ProxySetupOptions = {
  readonly goldens: GoldenFolders;
  /** The version of the official client whose requests the proxy imitates. */
  readonly codex: string;
  /** A file with a sign-in, or a folder of several. */
  readonly auth: string;
  readonly tokenUrl: URL;
  /** What several processes share. */
  readonly state?: SharedState | undefined;
  /** Loads the shape: `loadShape`, or one that keeps shapes. */
  readonly load?: typeof loadShape;
};

/** Those options of a proxy that come from goldens and sign-in. */
export type ProxySetup = {
  readonly codex: string;
  readonly lane: SignIn['lane'];
  readonly options: Pick<ProxyOptions, 'shape' | 'signIn' | 'renew' | 'accounts' | 'installation'>;
};

/**
 * Loads goldens and sign-in for a proxy. Throws ParityError `no-golden` if the goldens are missing and `bad-sign-in` if
 * the sign-in is.
 */
export async function loadProxySetup(options: ProxySetupOptions): Promise<ProxySetup> {
  const { goldens, codex, auth, tokenUrl, state, load = loadShape } = options;
  const lane = laneOf(auth);
  const shape = await load(goldens, codex, lane);
  const installation = installationBeside(auth);
  const client = shape.client(hostTexts(installation));
  const accounts = new Accounts(auth, { url: tokenUrl, ...client, form: shape.httpForm }, state);
  // Report a missing sign-in at the start, not at the first request.
  accounts.check();
  return {
    codex,
    lane,
    options: {
      shape,
      signIn: async (session) => requireLane(lane, await accounts.signIn(session)),
      renew: async (session, refused) => requireLane(lane, await accounts.renew(session, refused)),
      // A single sign-in has no alternative, whatever the backend says about it.
      ...(isFolder(auth) ? { accounts } : {}),
      installation,
    },
  };
}

/** A folder contains ChatGPT sign-ins. */
function laneOf(auth: string): SignIn['lane'] {
  return isFolder(auth) ? 'chatgpt' : readSignIn(auth).lane;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** A shape is valid for one lane only. */
function requireLane(lane: SignIn['lane'], signIn: SignIn): SignIn {
  if (signIn.lane === lane) return signIn;
  throw new ParityError(
    'bad-sign-in',
    `the proxy was started for ${lane} sign-ins: start another for ${signIn.lane}`,
  );
}

/** The official client stores its installation id beside auth.json. */
function installationBeside(auth: string): string | undefined {
  try {
    const path = join(dirname(auth), 'installation_id');
    // Reading a pipe would block the process.
    if (!statSync(path).isFile()) return undefined;
    const id = readFileSync(path, 'utf8').trim();
    return isUuid4(id) ? id : undefined;
  } catch {
    return undefined;
  }
}
