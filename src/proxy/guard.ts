import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import { proxyError } from './http/errors.ts';

/** Whom the proxy lets in. */
export type Door = {
  /** The address it listens on. */
  readonly address: string;
  /** What clients must send as bearer token or `x-api-key`; anyone on this machine may come in where there is none. */
  readonly key?: string | undefined;
};

/** Headers in which a client may show the key. None of them goes upstream. */
export const keyHeaders: ReadonlySet<string> = new Set(['authorization', 'x-api-key', 'api-key']);

/** Whether an address can be reached from this machine only. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}

/** Refuses what no honest client of a developer's own sends: pages in browsers, and names that are not ours. */
export function refuseStrangers(headers: HeaderList, door: Door, most: number): void {
  if (headers.length > most) {
    throw proxyError(431, 'too_many_headers', `a request may have ${most} headers, this one has more`);
  }
  const site = headerValue(headers, 'sec-fetch-site');
  // A page in a browser can reach loopback; it must not be able to use the developer's sign-in.
  if (
    headerValue(headers, 'origin') !== undefined ||
    (site !== undefined && !/^(?:none|same-origin)$/.test(site))
  ) {
    throw proxyError(403, 'forbidden_origin', 'requests from browser pages are refused');
  }
  // Nor may a name that somebody else's DNS points at this machine.
  const hosts = headers.filter(([name]) => name.toLowerCase() === 'host').map(([, value]) => value);
  if (hosts.length !== 1 || !isOurs(hosts[0] ?? '', door)) {
    throw proxyError(403, 'forbidden_host', 'the Host header does not name this proxy');
  }
}

/** Refuses a client that does not show the key, where there is one. Throws ApiError. */
export function requireKey(headers: HeaderList, { key }: Door): void {
  if (key === undefined) return;
  const shown = headers
    .filter(([name]) => keyHeaders.has(name.toLowerCase()))
    .map(([, value]) => value.replace(/^Bearer /i, ''));
  // All are compared, so that the time it takes tells nothing.
  const matches = shown.map((one) => sameSecret(one, key));
  if (matches.includes(true)) return;
  throw proxyError(401, 'invalid_api_key', "the proxy's API key is missing or wrong");
}

/** Compares digests, which are of one length, in a time that does not depend on where they differ. */
function sameSecret(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

function isOurs(host: string, { address }: Door): boolean {
  const name = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(host.toLowerCase());
  const bare = name?.[1] ?? name?.[2] ?? '';
  if (isLoopback(bare)) return true;
  if (isLoopback(address)) return false;
  return isIP(bare) !== 0 || bare === address.toLowerCase() || bare === hostname().toLowerCase();
}
