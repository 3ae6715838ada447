import { homedir } from 'node:os';
import { join } from 'node:path';

/** What a request is signed with. `accessToken` is a secret: never logged, never in an error. */
export type SignIn = ChatGptSignIn | ApiKeySignIn;

/** Sent as `authorization: Bearer …` with the account's `chatgpt-account-id`. */
export type ChatGptSignIn = {
  readonly lane: 'chatgpt';
  readonly accessToken: string;
  readonly accountId: string;
  /** Whether responses may be asked for over the websocket. */
  readonly websockets: boolean;
};

/** Sent as `authorization: Bearer …`, to the API's host; there is no account to name. */
export type ApiKeySignIn = {
  readonly lane: 'api-key';
  /** The key itself. */
  readonly accessToken: string;
  readonly websockets: boolean;
};

/** Where the official client keeps its sign-in: `$CODEX_HOME/auth.json`, else `~/.codex/auth.json`. */
export function defaultAuthFile(env: NodeJS.ProcessEnv): string {
  return join(env.CODEX_HOME || join(homedir(), '.codex'), 'auth.json');
}
