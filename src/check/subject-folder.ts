import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  apiKeyJson,
  authJson,
  cliProxyApiJson,
  type MadeUpSignIn,
} from '../client/official/made-up-sign-in.ts';
import { ParityError } from '../errors.ts';
import { makeFolder } from '../files.ts';
import { type CommandSubject, filled, type Placeholders } from './subject.ts';

/** The sign-in that a subject is given. */
export type SubjectSignIn = {
  readonly signIn: MadeUpSignIn;
  /** With an API key instead of tokens. */
  readonly byKey: boolean;
  /** Its access token has expired. */
  readonly expired: boolean;
};

/** The placeholders whose values come from the folder and the sign-in. */
type FolderPlaceholders = Pick<
  Placeholders,
  'folder' | 'auth' | 'auth_folder' | 'token' | 'id_token' | 'refresh_token' | 'account' | 'email'
>;

/** A new folder for one start of a subject, outside of the environment of the client. */
export function makeSubjectFolder(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-subject-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }) };
}

/** Writes the sign-in to a folder. Throws ParityError if the subject's form has none for an API key. */
export function writeSignIn(
  { auth: form }: CommandSubject,
  folder: string,
  { signIn, byKey, expired }: SubjectSignIn,
): FolderPlaceholders {
  if (byKey && form !== 'codex')
    throw new ParityError(
      'usage',
      `auth: ${form} has no form for an API key: check another lane than api-key`,
    );
  const authFolder = join(folder, 'sign-in');
  const auth = join(authFolder, 'auth.json');
  makeFolder(authFolder, 0o700);
  // A proxy may renew a sign-in that is some days old. One that has expired was not renewed just now.
  const refreshed = expired ? undefined : new Date().toISOString();
  const tokens =
    form === 'codex' ? authJson(signIn, refreshed) : cliProxyApiJson(signIn, { refreshed, expired });
  writeFileSync(auth, byKey ? apiKeyJson(signIn) : tokens, { mode: 0o600 });
  return {
    folder,
    auth,
    auth_folder: authFolder,
    token: byKey ? signIn.apiKey : signIn.accessToken,
    id_token: signIn.idToken,
    refresh_token: signIn.refreshToken,
    account: signIn.accountId,
    email: signIn.email,
  };
}

/** Writes the files of a subject. */
export function writeSubjectFiles({ files }: CommandSubject, values: Placeholders): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(values.folder, name);
    makeFolder(dirname(path));
    writeFileSync(path, filled(text, values), { mode: 0o600 });
  }
}
