import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import { proxyError } from './http/errors.ts';

/** Which clients may use the proxy. */
export type AccessRules = {
  /** The address that the proxy listens on. */
  readonly address: string;
  /** What clients must send as bearer token or `x-api-key`. Without it, every client on this machine is accepted. */
  readonly key?: string | undefined;
};

/** Headers in which a client may send the key. None of them goes upstream. */
export const keyHeaders: ReadonlySet<string> = new Set(['authorization', 'x-api-key', 'api-key']);

/** Whether an address can be reached from this machine only. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}

/** Refuses requests from browser pages, and requests for another host. Throws ApiError. */
export function refuseStrangers(headers: HeaderList, access: AccessRules, maximumHeaders: number): void {
  if (headers.length > maximumHeaders) {
    throw proxyError(431, 'too_many_headers', `the request has more than ${maximumHeaders} headers`);
  }
  const site = headerValue(headers, 'sec-fetch-site');
  // A page in a browser can reach loopback. It must not be able to use the developer's sign-in.
  if (
    headerValue(headers, 'origin') !== undefined ||
    (site !== undefined && !/^(?:none|same-origin)$/.test(site))
  ) {
    throw proxyError(403, 'forbidden_origin', 'requests from browser pages are refused');
  }
  // Neither must a page whose host name somebody's DNS points at this machine.
  const hosts = headers.filter(([name]) => name.toLowerCase() === 'host').map(([, value]) => value);
  if (hosts.length !== 1 || !isOwnHost(hosts[0] ?? '', access)) {
    throw proxyError(403, 'forbidden_host', 'the Host header does not name this proxy');
  }
}

/** Refuses a client that does not send the key, if there is one. Throws ApiError. */
export function requireKey(headers: HeaderList, { key }: AccessRules): void {
  if (key === undefined) return;
  const sent = headers
    .filter(([name]) => keyHeaders.has(name.toLowerCase()))
    .map(([, value]) => value.replace(/^Bearer /i, ''));
  // Compare all of them, so that the time taken reveals nothing.
  const matches = sent.map((value) => isSameSecret(value, key));
  if (matches.includes(true)) return;
  throw proxyError(401, 'invalid_api_key', "the proxy's API key is missing or wrong");
}

/** Compares digests, which have equal lengths, in a time that does not depend on where they differ. */
function isSameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function isOwnHost(host: string, { address }: AccessRules): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(host.toLowerCase()) ?? [];
  const name = bracketed ?? plain ?? '';
  if (isLoopback(name)) return true;
  if (isLoopback(address)) return false;
  return isIP(name) !== 0 || name === address.toLowerCase() || name === hostname().toLowerCase();
}
