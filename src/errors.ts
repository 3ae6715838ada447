/** The reasons why the program can stop without a verdict, and their exit codes. */
const exitCodes = {
  /** A wrong option, argument or combination of them. */
  usage: 2,
  'unknown-version': 2,
  'unknown-scenario': 2,
  'unknown-subject': 2,
  'no-golden': 2,
  'registry-silent': 2,
  /** npm is missing, or cannot install the official client. */
  'install-failed': 2,
  'file-unreadable': 2,
  'file-unwritable': 2,
  'file-corrupt': 2,
  'format-newer': 2,
  'bad-sign-in': 2,
  /** The token endpoint refuses to renew the sign-in: the user has to sign in again. */
  'sign-in-refused': 2,
  /** The token endpoint did not respond, or responded with an error: a later renewal may succeed. */
  'sign-in-unreachable': 2,
  'port-in-use': 2,
  'subject-failed': 2,
  /** Every turn of a measurement failed. */
  'not-measured': 2,
  interrupted: 2,
  /** The official client did not follow the scenario. */
  'client-failed': 3,
  /** The recordings of a scenario differ in a way that cannot be generalised. */
  'runs-disagree': 3,
  internal: 3,
} as const;

export type ErrorCode = keyof typeof exitCodes;

/** An expected error. Its message is one line for the user: what is wrong, where, and what to do. */
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

const notAFolder = 'a part of the path is a file, not a folder';

/** Plain reasons for system errors. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRINUSE: 'it is in use: choose another one, or stop the program that uses it',
  EDQUOT: 'the disk is full',
  EEXIST: notAFolder,
  EISDIR: 'it is a folder',
  ELOOP: 'its symbolic links form a loop',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ENOENT: 'no such file or folder',
  ENOSPC: 'the disk is full',
  ENOTDIR: notAFolder,
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ETXTBSY: 'it is a running program',
};

/** The reason of an error, for a user: plain words for system errors, otherwise the message of the error. */
export function plainReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return reasons[code] ?? error.message;
}

/** Why a program could not be started, for a user, with its name. */
export function startFailure(program: string, error: unknown): string {
  const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
  return `cannot run ${program}: ${isMissing ? 'program not found' : plainReason(error)}`;
}
