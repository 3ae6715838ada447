import { homedir } from 'node:os';
import { join } from 'node:path';

/** The credentials of a request. `accessToken` is a secret: never log it or put it into an error. */
export type SignIn = ChatGptSignIn | ApiKeySignIn;

/** Sent as `authorization: Bearer …` together with `chatgpt-account-id`. */
export type ChatGptSignIn = {
  readonly lane: 'chatgpt';
  readonly accessToken: string;
  readonly accountId: string;
  /** Whether the sign-in may be used over the websocket. */
  readonly websockets: boolean;
};

/** Sent as `authorization: Bearer …` to the API's host, without an account. */
export type ApiKeySignIn = {
  readonly lane: 'api-key';
  /** The API key. */
  readonly accessToken: string;
  readonly websockets: boolean;
};

/** Returns where the official client stores its sign-in: `$CODEX_HOME/auth.json`, else `~/.codex/auth.json`. */
export function defaultAuthFile(env: NodeJS.ProcessEnv): string {
  return join(env.CODEX_HOME || join(homedir(), '.codex'), 'auth.json');
}
