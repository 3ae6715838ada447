import { homedir } from 'node:os';
import { join } from 'node:path';

/** The credentials of a request. `accessToken` is a secret: never log it or put it into an error. */
export type SignIn = {
  /** The access token or API key, sent as `authorization: Bearer …`. */
  readonly accessToken: string;
  /** Whether the sign-in may be used over the websocket. */
  readonly websockets: boolean;
} & (
  | { readonly lane: 'api-key' }
  /** The account is sent as `chatgpt-account-id`. */
  | { readonly lane: 'chatgpt'; readonly accountId: string }
);

/** Returns where the official client stores its sign-in: `$CODEX_HOME/auth.json`, else `~/.codex/auth.json`. */
export function defaultAuthFile(env: NodeJS.ProcessEnv): string {
  return join(env.CODEX_HOME || join(homedir(), '.codex'), 'auth.json');
}
