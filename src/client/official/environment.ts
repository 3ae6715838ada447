import { hash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { makeFolder } from '../../files.ts';
import { defaultClientCache, makeCacheFolder } from '../install/installed.ts';
import { programSearch } from '../process-group.ts';
import type { Lane } from './lanes.ts';
import {
  apiKeyJson,
  authJson,
  type MadeUpAccount,
  type MadeUpSignIn,
  madeUpSignIn,
} from './made-up-sign-in.ts';
import type { TaskSetup } from './task.ts';

/** The machine as one run of a client sees it, and the secrets in it. */
export type ClientEnvironment = {
  /** Absolute path of the home folder. */
  readonly home: string;
  /** Absolute path of CODEX_HOME, which holds auth.json. */
  readonly codexHome: string;
  /** Absolute path of the empty folder the client works in. */
  readonly cwd: string;
  /** The whole environment of the process. Only the variables of `programSearch` are inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Except for the plan, its values must never be stored or printed. */
  readonly signIn: MadeUpSignIn;
};

/**
 * Traits of the runs. The lists have different lengths, so that traits do not repeat together. Three consecutive users have
 * names with and without non-ASCII characters.
 */
const people = ['ada', 'gräce-hopper', 'k.thompson', 'barbara', 'é_dijkstra', 'lin', '林-h'] as const;
const workFolders = [
  ['engine'],
  ['src', 'difference engine'],
  ['p', 'Größe', 'メモ'],
  ['projects', 'bernoulli', 'v2', 'cards'],
] as const;
const homeFolders = [
  ['home'],
  ['users', 'staff'],
  ['export', 'people', 'x', 'home'],
  ['h'],
  ['mnt', 'home'],
] as const;

/**
 * Plans whose requests are the same: other claims of a ChatGPT token than the plan and `chatgpt_account_is_fedramp` do not
 * show (measured: codex 0.118.0 to 0.171.0).
 */
const plans = ['pro', 'edu', 'plus', 'go'] as const;

/** Plans whose requests differ. The client sends the plan only inside the tokens, so each kind has a lane of its own. */
const plansOfLanes: Readonly<Partial<Record<Lane, readonly MadeUpAccount['plan'][]>>> = {
  // No tool `image_gen` (measured: codex 0.149.0 to 0.171.0; not 0.145.0).
  'free-plan': ['free'],
  // The tier "priority" by default (measured: codex 0.128.0 and 0.130.0; not 0.133.0).
  'business-plan': ['team', 'enterprise', 'business'],
};

/**
 * Locales and shells of hosts. Bash warns of a locale that the host lacks, and start-up files may print: both come before
 * the output of a command (measured: codex 0.171.0, scenario tool-turn).
 */
const locales: readonly Readonly<Record<string, string>>[] = [
  { LANG: 'en_US.UTF-8' },
  { LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' },
  { LANG: 'de_DE.UTF-8', LC_ALL: 'xx_XX.UTF-8', LC_CTYPE: 'xx_XX.UTF-8' },
  { LANG: 'ja_JP.UTF-8', LANGUAGE: 'ja' },
];
const startUpFiles: readonly Readonly<Record<string, string>>[] = [
  {},
  { '.profile': 'echo "Willkommen, $USER"\n', '.bashrc': 'echo Using the settings of this machine\n' },
  { '.profile': 'export EDITOR=vi\n' },
];

/** The client detects a terminal in both ways. 0.169.0 has it in the user agent, 0.118.0 not over the websocket. */
const terminals: readonly Readonly<Record<string, string>>[] = [
  { TERM: 'xterm-256color' },
  { TERM: 'xterm-256color', TERM_PROGRAM: 'WezTerm', TERM_PROGRAM_VERSION: '20240203-110809' },
  { TERM: 'screen' },
  { TERM: 'xterm-256color', TERM_PROGRAM: 'vscode', TERM_PROGRAM_VERSION: '1.104.2' },
  { TERM: 'dumb' },
];

/**
 * UTC+14 and UTC-12 are 26 hours apart, so two consecutive runs never have the same date. The POSIX notation (sign
 * reversed) needs no time zone database.
 */
const timeZones = ['LINT-14', 'AOE12'] as const;

/** The folder with `auth.json`, and what it says. */
export type SignInFolder = Pick<ClientEnvironment, 'codexHome' | 'signIn'>;

type EnvironmentOptions = { readonly lane?: Lane } & Pick<TaskSetup, 'expired'>;

/**
 * Makes the folders, sign-in and environment variables of run `n` under `root`. The same root and `n` give the same
 * result. What could differ between two users differs between two runs, or a recording would learn it as a constant.
 *
 * The environment has its own temporary folder, as the client warns of a CODEX_HOME in the system's. A git repository
 * around `root` is hidden from git, as the client would send its commit in the turn metadata.
 *
 * @param root a new folder; it need not exist
 * @param n counted from 0
 * @param options.lane `api-key` signs in with a key, the others with tokens; some have plans or accounts of their own
 * @param options.expired the access token has expired
 */
export async function makeEnvironment(
  root: string,
  n: number,
  { lane = 'chatgpt', expired = false }: EnvironmentOptions = {},
): Promise<ClientEnvironment> {
  const traits = traitsOf(n, lane);
  const { user } = traits;
  const world = resolve(root, traits.installation);
  const home = join(world, ...traits.home, user);
  const codexHome = join(home, traits['codex home']);
  const cwd = join(home, ...traits.cwd);
  const temporary = join(world, 'tmp');
  for (const folder of [codexHome, cwd, temporary]) makeFolder(folder);
  const { signIn } = await makeSignIn(codexHome, n, { lane, expired });
  for (const [name, text] of Object.entries(traits['start-up files']))
    await writeFile(join(home, name), text);
  return {
    home,
    codexHome,
    cwd,
    signIn,
    env: {
      ...programSearch(),
      ...traits.terminal,
      HOME: home,
      USERPROFILE: home,
      CODEX_HOME: codexHome,
      TMPDIR: temporary,
      TEMP: temporary,
      TMP: temporary,
      USER: user,
      LOGNAME: user,
      ...traits.locale,
      TZ: traits['time zone'],
      GIT_CEILING_DIRECTORIES: dirname(cwd),
    },
  };
}

/** Makes the sign-in of run `n` alone, in a folder that exists: enough where no client runs. */
export async function makeSignIn(
  folder: string,
  n: number,
  { lane = 'chatgpt', expired = false }: EnvironmentOptions = {},
): Promise<SignInFolder> {
  const signIn = madeUpSignIn(traitsOf(n, lane).account, { expired });
  const auth = lane === 'api-key' ? apiKeyJson(signIn) : authJson(signIn);
  await writeFile(join(folder, 'auth.json'), auth, { mode: 0o600 });
  return { codexHome: folder, signIn };
}

/**
 * Calls `work` with a new empty folder, and removes the folder afterwards. It is not in the system's temporary folder,
 * as the client warns of a home there.
 */
export async function inFreshFolder<T>(work: (root: string) => Promise<T>): Promise<T> {
  const parent = join(defaultClientCache(process.env), '..', 'runs');
  makeCacheFolder(parent);
  const root = await mkdtemp(join(parent, 'run-'));
  try {
    return await work(root);
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The secrets of an environment, by their kind in a sealed trace. */
export function secretsOf({ signIn }: SignInFolder): Readonly<Record<string, readonly string[]>> {
  return {
    account_id: [signIn.accountId],
    user_id: [signIn.userId],
    email: [signIn.email],
    token: [signIn.idToken, signIn.accessToken, signIn.refreshToken, signIn.apiKey],
  };
}

/** The traits of run `n`, by their names in the header of a golden. */
function traitsOf(n: number, lane: Lane) {
  const user = pick(people, n);
  const plan = pick(plansOfLanes[lane] ?? plans, n);
  return {
    account: accountOf(n, { plan, ...(lane === 'fedramp' ? { fedramp: true } : {}) }),
    'codex home': n % 2 === 0 ? '.codex' : 'codex-home',
    cwd: pick(workFolders, n),
    home: pick(homeFolders, n),
    installation: `run-${n}`,
    locale: pick(locales, n),
    plan,
    'start-up files': pick(startUpFiles, n),
    terminal: pick(terminals, n),
    'time zone': pick(timeZones, n),
    user,
  };
}

/** The sorted names of the traits that differ between these runs in a lane. */
export function variedBetween(runs: readonly number[], lane: Lane): string[] {
  const texts = new Map<string, Set<string>>();
  for (const [name, trait] of runs.flatMap((n) => Object.entries(traitsOf(n, lane)))) {
    texts.set(name, (texts.get(name) ?? new Set()).add(JSON.stringify(trait)));
  }
  return [...texts].flatMap(([name, { size }]) => (size > 1 ? [name] : [])).sort();
}

function accountOf(n: number, kind: Pick<MadeUpAccount, 'plan' | 'fedramp'>): MadeUpAccount {
  const digits = hash('sha256', `codex-parity run ${n}`);
  const uuid = digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-a$4-$5');
  return {
    // Account ids are usually UUIDs. No golden must learn that, as it is not guaranteed.
    accountId: n % 2 === 0 ? uuid : `acct-${digits.slice(0, 16)}`,
    userId: `user-${digits.slice(32, 56)}`,
    email: `someone.${digits.slice(56, 62)}@example.com`,
    ...kind,
  };
}

/** The nth item of a list that repeats. */
function pick<T>(list: readonly T[], n: number): T {
  const item = list[n % list.length];
  if (item === undefined) throw new RangeError(`run ${n} is not a whole number from 0 on`);
  return item;
}
