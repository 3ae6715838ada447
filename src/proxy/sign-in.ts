import { readFileSync } from 'node:fs';
import { ParityError } from '../errors.ts';
import { stringAt, tryParseJson } from '../wire/json.ts';

/** What a request is signed with. The token is a secret: never logged, never in an error. */
export type SignIn = { readonly accessToken: string; readonly accountId: string };

export { defaultAuthFile } from './sign-in/sign-in.ts';

/** Reads a ChatGPT sign-in as `codex login` writes it. Throws ParityError where there is none. */
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
  const tokens = tryParseJson(text)?.node;
  const accessToken = stringAt(tokens, 'tokens', 'access_token');
  const accountId = stringAt(tokens, 'tokens', 'account_id');
  if (accessToken === undefined || accountId === undefined) {
    throw new ParityError(
      'bad-sign-in',
      `${path} holds no ChatGPT sign-in (tokens.access_token and tokens.account_id): run "codex login"`,
    );
  }
  return { accessToken, accountId };
}
