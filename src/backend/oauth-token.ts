import { randomBytes } from 'node:crypto';

/** Seconds until a token expires. */
const lifetime = 10 * 24 * 60 * 60;

/**
 * The response to a refresh with `POST /oauth/token`: new, unsigned tokens without an account. The client reads their
 * expiry and sends the access token; its account stays that of its auth.json.
 */
export function refreshedTokens() {
  return {
    id_token: newToken(),
    access_token: newToken(),
    refresh_token: `refresh-${randomBytes(16).toString('hex')}`,
  };
}

function newToken(): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iat: now, exp: now + lifetime, jti: randomBytes(16).toString('hex') };
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.${Buffer.from('unsigned').toString('base64url')}`;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
