import { homedir } from 'node:os';
import { join } from 'node:path';

/** The credentials of a request. `accessToken` is a secret: never log it or put it into an error. */
export type SignIn = {
  /** The access token or API key, sent as `authorization: Bearer …`. */
  readonly accessToken: string;
  /** Whether the sign-in may be used over the websocket. */
  readonly websockets: boolean;
  /** The file of a sign-in from a folder. Several users may share an account, each with a limit of their own. */
  readonly file?: string;
} & (
  | { readonly lane: 'api-key' }
  | {
      readonly lane: 'chatgpt';
      /** Sent as `chatgpt-account-id`. */
      readonly accountId: string;
      /** The account is of a government agency of the United States. Sent as `x-openai-fedramp: true`. */
      readonly fedramp?: true;
    }
);

/** Returns what identifies the holder of a sign-in, also after the tokens were renewed. */
export function holderOf(signIn: SignIn): string {
  const { file = '' } = signIn;
  return `${file} ${signIn.lane === 'chatgpt' ? signIn.accountId : signIn.accessToken}`;
}

/** Returns where the official client stores its sign-in: `$CODEX_HOME/auth.json`, else `~/.codex/auth.json`. */
export function defaultAuthFile(env: NodeJS.ProcessEnv): string {
  return join(env.CODEX_HOME || join(homedir(), '.codex'), 'auth.json');
}
