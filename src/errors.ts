/** Every way the program can stop before it has a verdict, and the exit code each maps to. */
const exitCodes = {
  /** Wrong use: an option, an argument or a combination of them. */
  usage: 2,
  'unknown-version': 2,
  'unknown-scenario': 2,
  'unknown-subject': 2,
  'no-golden': 2,
  'registry-silent': 2,
  /** npm is missing, or could not install the official client. */
  'install-failed': 2,
  'file-unreadable': 2,
  'file-unwritable': 2,
  'file-corrupt': 2,
  'format-newer': 2,
  'bad-sign-in': 2,
  /** The sign-in is not renewed any more: only signing in again helps. */
  'sign-in-refused': 2,
  /** Whether the sign-in can be renewed is not known: the token endpoint did not answer, or with an error. */
  'sign-in-unreachable': 2,
  'port-in-use': 2,
  'subject-failed': 2,
  /** A measurement of which no turn went well. */
  'not-measured': 2,
  interrupted: 2,
  /** The official client did not do what the scenario told it to do. */
  'client-failed': 3,
  /** Recordings of one scenario differ in a way that cannot be generalised. */
  'runs-disagree': 3,
  internal: 3,
} as const;

export type ErrorCode = keyof typeof exitCodes;

/** An error whose message is written for the user: one line, what is wrong and what to do. */
export class ParityError extends Error {
  override readonly name = 'ParityError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get exitCode(): number {
    return exitCodes[this.code];
  }
}

const notAFolder = 'a part of the path is a file and no folder';

/** What the system says, in plain words; the words of Node for what is not in here. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EADDRINUSE: 'it is taken: choose another, or stop what listens there',
  EDQUOT: 'the disk is full',
  EEXIST: notAFolder,
  EISDIR: 'it is a folder',
  ELOOP: 'its links lead in a circle',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'the disk is full',
  ENOTDIR: notAFolder,
  EPERM: 'permission is denied',
  EROFS: 'it can only be read',
  ETXTBSY: 'it is a program that runs',
};

/** Why something failed, for a user to read. */
export function plainReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return reasons[code] ?? error.message;
}
