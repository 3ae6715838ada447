import { randomBytes } from 'node:crypto';

/** Seconds a token is good for: ten days, as long as the client's own refresh interval is not exceeded. */
const lifetime = 10 * 24 * 60 * 60;

/**
 * What `POST /oauth/token` answers to a refresh: new tokens, unsigned, for nobody in particular. The client reads the
 * expiry and sends the token along; the account it acts for stays the one of its auth.json.
 */
export function refreshedTokens() {
  return {
    id_token: unsignedToken(),
    access_token: unsignedToken(),
    refresh_token: `refresh-${randomBytes(16).toString('hex')}`,
  };
}

function unsignedToken(): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iat: now, exp: now + lifetime, jti: randomBytes(16).toString('hex') };
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.${Buffer.from('unsigned').toString('base64url')}`;
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
