import { createHash } from 'node:crypto';

/** Who a made-up sign-in is for. The plan does not show in what the client sends, other than inside the tokens. */
export type MadeUpAccount = {
  readonly accountId: string;
  readonly userId: string;
  readonly email: string;
  readonly plan: 'plus' | 'pro' | 'business' | 'enterprise';
};

/** A ChatGPT sign-in that no server ever issued: the client reads the tokens' claims and never checks a signature. */
export type MadeUpSignIn = MadeUpAccount & {
  readonly idToken: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** What the same person would sign in with in place of the tokens. */
  readonly apiKey: string;
};

/** 2100-01-01 in epoch seconds: the client refreshes a token that has run out before it does anything else. */
const expiry = 4_102_444_800;

/** 2020-01-01 in epoch seconds. */
const longAgo = 1_577_836_800;

/** A fixed day, so that the file depends on the account alone; with an expiry far ahead the client lets it be old. */
const lastRefresh = '2026-01-01T00:00:00Z';

/**
 * Makes the tokens for an account; the same account always gets the same ones.
 *
 * @param options.expired the access token has run out long ago
 */
export function madeUpSignIn(account: MadeUpAccount, { expired = false } = {}): MadeUpSignIn {
  return {
    ...account,
    idToken: unsignedToken(account, 'id', expiry),
    accessToken: unsignedToken(account, 'access', expired ? longAgo : expiry),
    refreshToken: `rt_${digest(account, 'refresh')}`,
    apiKey: `sk-proj-${digest(account, 'key')}`,
  };
}

/** The text of the auth.json the client looks for in CODEX_HOME, in the shape `codex login` writes. */
export function authJson(signIn: MadeUpSignIn): string {
  return JSON.stringify({
    auth_mode: 'chatgpt',
    OPENAI_API_KEY: null,
    tokens: {
      id_token: signIn.idToken,
      access_token: signIn.accessToken,
      refresh_token: signIn.refreshToken,
      account_id: signIn.accountId,
    },
    last_refresh: lastRefresh,
  });
}

/** The text of the auth.json that `codex login --with-api-key` writes (measured: codex 0.118.0 and 0.169.0). */
export function apiKeyJson({ apiKey }: MadeUpSignIn): string {
  return JSON.stringify({ auth_mode: 'apikey', OPENAI_API_KEY: apiKey });
}

function unsignedToken(account: MadeUpAccount, use: string, exp: number): string {
  const claims = {
    exp,
    jti: digest(account, use),
    email: account.email,
    'https://api.openai.com/auth': {
      chatgpt_plan_type: account.plan,
      chatgpt_account_id: account.accountId,
      chatgpt_user_id: account.userId,
    },
  };
  return [
    encoded({ alg: 'none', typ: 'JWT' }),
    encoded(claims),
    Buffer.from('unsigned').toString('base64url'),
  ].join('.');
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function digest({ accountId, userId, email, plan }: MadeUpAccount, use: string): string {
  return createHash('sha256')
    .update(JSON.stringify([accountId, userId, email, plan, use]))
    .digest('hex');
}
