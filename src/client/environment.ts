import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { programSearch } from './program-search.ts';
import { type Account, authJson, madeUpSignIn, type SignIn } from './sign-in.ts';

/** The world one run of a client sees, and what in it must never be written down. */
export type ClientEnvironment = {
  /** Absolute path of the home folder. */
  readonly home: string;
  /** Absolute path of CODEX_HOME, which holds auth.json. */
  readonly codexHome: string;
  /** Absolute path of the empty folder the client works in. */
  readonly cwd: string;
  /** The whole environment of the process: nothing is inherited but where programs are found. */
  readonly env: Readonly<Record<string, string>>;
  readonly signIn: SignIn;
  /** Values of the sign-in that identify or authorise, by what they are. */
  readonly secrets: Readonly<
    Record<'accountId' | 'userId' | 'email' | 'idToken' | 'accessToken' | 'refreshToken', string>
  >;
};

/** What differs from run to run, each list at its own pace. */
const people = ['ada', 'grace-hopper', 'k.thompson', 'barbara', 'e_dijkstra', 'lin', 'margaret-h'] as const;
/** Not business: it makes 0.128.0 and 0.130.0 ask for the tier "priority" of themselves (measured). */
const plans = ['pro', 'plus'] as const;
const languages = ['en_US.UTF-8', 'C.UTF-8', 'de_DE.UTF-8', 'ja_JP.UTF-8'] as const;
const workFolders = [
  ['engine'],
  ['src', 'difference engine'],
  ['p', 'q', 'notes'],
  ['projects', 'bernoulli', 'v2', 'cards'],
] as const;
const homeFolders = [
  ['home'],
  ['users', 'staff'],
  ['h'],
  ['export', 'people', 'x', 'home'],
  ['mnt', 'home'],
] as const;

/** Both ways the client learns of a terminal; 0.169.0 puts it into its user-agent, 0.118.0 leaves it out over the websocket. */
const terminals: readonly Readonly<Record<string, string>>[] = [
  { TERM: 'xterm-256color' },
  { TERM: 'xterm-256color', TERM_PROGRAM: 'WezTerm', TERM_PROGRAM_VERSION: '20240203-110809' },
  { TERM: 'screen' },
  { TERM: 'xterm-256color', TERM_PROGRAM: 'vscode', TERM_PROGRAM_VERSION: '1.104.2' },
  { TERM: 'dumb' },
];

/**
 * UTC+14 and UTC-12 are 26 hours apart, so two runs in a row never see the same date, whatever the time of day. They
 * are written the POSIX way (sign reversed), which needs no time zone database on the machine.
 */
const timeZones = ['LINT-14', 'AOE12'] as const;

/**
 * Makes the folders and the sign-in for run `n` under `root`, and the environment to run in. The same root and `n`
 * give the same names and the same sign-in; another `n` gives others, on purpose: a value that could differ between
 * two users should differ between two runs, or a recording would take it for a constant.
 *
 * The system's temporary folder is moved into the world as well, since the client warns of a CODEX_HOME inside it.
 * A git repository around `root` is hidden from git, or the client would report its commit in the turn metadata.
 *
 * @param root a fresh folder; it need not exist
 * @param n counted from 0
 */
export async function makeEnvironment(root: string, n: number): Promise<ClientEnvironment> {
  const world = resolve(root, `run-${n}`);
  const user = pick(people, n);
  const home = join(world, ...pick(homeFolders, n), user);
  const codexHome = join(home, n % 2 === 0 ? '.codex' : 'codex-home');
  const cwd = join(home, ...pick(workFolders, n));
  const temporary = join(world, 'tmp');
  const signIn = madeUpSignIn(accountOf(n, user));
  for (const folder of [codexHome, cwd, temporary]) await mkdir(folder, { recursive: true });
  await writeFile(join(codexHome, 'auth.json'), authJson(signIn), { mode: 0o600 });
  return {
    home,
    codexHome,
    cwd,
    signIn,
    secrets: {
      accountId: signIn.accountId,
      userId: signIn.userId,
      email: signIn.email,
      idToken: signIn.idToken,
      accessToken: signIn.accessToken,
      refreshToken: signIn.refreshToken,
    },
    env: {
      ...programSearch(),
      ...pick(terminals, n),
      HOME: home,
      USERPROFILE: home,
      CODEX_HOME: codexHome,
      TMPDIR: temporary,
      TEMP: temporary,
      TMP: temporary,
      USER: user,
      LOGNAME: user,
      LANG: pick(languages, n),
      TZ: pick(timeZones, n),
      GIT_CEILING_DIRECTORIES: dirname(cwd),
    },
  };
}

function accountOf(n: number, user: string): Account {
  const hash = createHash('sha256').update(`codex-parity run ${n}`).digest('hex');
  const groups = [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `4${hash.slice(13, 16)}`,
    `a${hash.slice(17, 20)}`,
    hash.slice(20, 32),
  ];
  return {
    // Accounts are UUIDs as a rule; nothing says that they must be, so no golden shall learn it.
    accountId: n % 2 === 0 ? groups.join('-') : `acct-${hash.slice(0, 16)}`,
    userId: `user-${hash.slice(32, 56)}`,
    email: `${user}.${hash.slice(56, 62)}@example.com`,
    plan: pick(plans, n),
  };
}

/** The n-th of a list that starts over at its end. */
function pick<T>(list: readonly T[], n: number): T {
  const picked = list[n % list.length];
  if (picked === undefined) throw new RangeError(`run ${n} is not a whole number from 0 on`);
  return picked;
}
