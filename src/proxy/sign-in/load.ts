import { readFileSync } from 'node:fs';
import { ParityError } from '../../errors.ts';
import type { SignIn } from './sign-in.ts';
import { decodeStored, parseFile } from './stored.ts';

export { defaultAuthFile, type SignIn } from './sign-in.ts';

/** Reads a sign-in as it is in a file, without renewing it. Throws ParityError where there is none. */
export function readSignIn(path: string): SignIn {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new ParityError(
      'bad-sign-in',
      `cannot read the sign-in ${path}: run "codex login", or name another with --auth`,
    );
  }
  const file = parseFile(text);
  const stored = file === undefined ? undefined : decodeStored(file.node);
  if (stored !== undefined) return stored.signIn;
  throw new ParityError('bad-sign-in', `${path} holds no sign-in: run "codex login"`);
}
