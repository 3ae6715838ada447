import { hash } from 'node:crypto';
import { unsignedToken } from '../../wire/ids.ts';

/** The account of a made-up sign-in. The client sends the plan only inside the tokens. */
export type MadeUpAccount = {
  readonly accountId: string;
  readonly userId: string;
  readonly email: string;
  readonly plan: 'free' | 'go' | 'plus' | 'pro' | 'edu' | 'team' | 'business' | 'enterprise';
  /** The account is of a government agency of the United States. */
  readonly fedramp?: true;
};

/** A ChatGPT sign-in that no server issued. The client reads the claims of its tokens, and checks no signature. */
export type MadeUpSignIn = MadeUpAccount & {
  readonly idToken: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** The key of the same user, for a sign-in without tokens. */
  readonly apiKey: string;
};

/** 2100-01-01 in seconds since 1970. The client would refresh an expired token first. */
const expiry = 4_102_444_800;

/** 2020-01-01 in seconds since 1970. */
const longAgo = 1_577_836_800;

/** A fixed day, so that the file depends on the account alone. The client accepts it, as the token has not expired. */
const lastRefresh = '2026-01-01T00:00:00Z';

/** Makes the sign-in of an account, always the same one. `expired` makes its access token one that has expired. */
export function madeUpSignIn(account: MadeUpAccount, { expired = false } = {}): MadeUpSignIn {
  return {
    ...account,
    idToken: token(account, 'id', expiry),
    accessToken: token(account, 'access', expired ? longAgo : expiry),
    refreshToken: `rt_${digest(account, 'refresh')}`,
    apiKey: `sk-proj-${digest(account, 'key')}`,
  };
}

/** The text of the auth.json in CODEX_HOME, as `codex login` writes it at `refreshed`, an ISO time. */
export function authJson(signIn: MadeUpSignIn, refreshed = lastRefresh): string {
  return JSON.stringify({
    auth_mode: 'chatgpt',
    OPENAI_API_KEY: null,
    tokens: {
      id_token: signIn.idToken,
      access_token: signIn.accessToken,
      refresh_token: signIn.refreshToken,
      account_id: signIn.accountId,
    },
    last_refresh: refreshed,
  });
}

/** The text of auth.json as `codex login --with-api-key` writes it (measured: codex 0.118.0 and 0.169.0). */
export function apiKeyJson({ apiKey }: MadeUpSignIn): string {
  return JSON.stringify({ auth_mode: 'apikey', OPENAI_API_KEY: apiKey });
}

/** The text of the file in which CLIProxyAPI keeps a sign-in: its type CodexTokenStorage. */
export function cliProxyApiJson(
  signIn: MadeUpSignIn,
  { refreshed = lastRefresh, expired = false } = {},
): string {
  return JSON.stringify({
    id_token: signIn.idToken,
    access_token: signIn.accessToken,
    refresh_token: signIn.refreshToken,
    account_id: signIn.accountId,
    last_refresh: refreshed,
    email: signIn.email,
    type: 'codex',
    expired: new Date((expired ? longAgo : expiry) * 1000).toISOString(),
  });
}

function token(account: MadeUpAccount, use: string, exp: number): string {
  return unsignedToken({
    exp,
    jti: digest(account, use),
    email: account.email,
    'https://api.openai.com/auth': {
      chatgpt_plan_type: account.plan,
      chatgpt_account_id: account.accountId,
      chatgpt_user_id: account.userId,
      chatgpt_account_is_fedramp: account.fedramp,
    },
  });
}

function digest({ accountId, userId, email, plan }: MadeUpAccount, use: string): string {
  return hash('sha256', JSON.stringify([accountId, userId, email, plan, use]));
}
