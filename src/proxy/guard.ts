import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import { proxyError } from './http/errors.ts';

/** Which clients may use the proxy. */
export type AccessRules = {
  /** The address that the proxy listens on. */
  readonly address: string;
  /** What clients must send in one of `keyHeaders`. Without it, every client on this machine is accepted. */
  readonly key?: string | undefined;
  /** Further names of the proxy, in lower case: hosts by which clients without the key may reach it. */
  readonly hosts?: ReadonlySet<string>;
};

/** Headers in which a client may send its API key. None of them goes upstream. */
export const keyHeaders: ReadonlySet<string> = new Set(['authorization', 'x-api-key', 'api-key']);

/** The API keys that a client sends. */
export function keysIn(headers: HeaderList): string[] {
  return headers
    .filter(([name]) => keyHeaders.has(name.toLowerCase()))
    .map(([, value]) => value.replace(/^Bearer /i, ''));
}

/** Whether an address can be reached from this machine only. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}

/**
 * Refuses clients that may not use the proxy. A client with the key may come from anywhere: containers reach the proxy as
 * `host.docker.internal`. Throws ApiError.
 */
export function requireAccess(headers: HeaderList, access: AccessRules, isPublic = false): void {
  if (hasKey(headers, access)) return;
  if (access.key !== undefined && !isPublic) {
    throw proxyError(401, 'invalid_api_key', "the proxy's API key is missing or wrong");
  }
  refuseStrangers(headers, access);
}

/** Refuses requests from browser pages, and requests for another host. */
function refuseStrangers(headers: HeaderList, access: AccessRules): void {
  const remedy = 'send the API key of the proxy, or start it with --allow-host NAME';
  const origin = headerValue(headers, 'origin');
  const [, originHost = ''] = /^https?:\/\/(.*)$/i.exec(origin ?? '') ?? [];
  const site = headerValue(headers, 'sec-fetch-site');
  const isPage = origin !== undefined || (site !== undefined && !/^(?:none|same-origin)$/.test(site));
  // A page in a browser can reach loopback. It must not be able to use the developer's sign-in.
  if (isPage && access.hosts?.has(nameIn(originHost)) !== true) {
    throw proxyError(403, 'forbidden_origin', `requests from browser pages are refused: ${remedy}`);
  }
  // Neither must a page whose host name somebody's DNS points at this machine.
  const hosts = headers.filter(([name]) => name.toLowerCase() === 'host').map(([, value]) => value);
  if (hosts.length !== 1 || !isOwnName(nameIn(hosts[0] ?? ''), access)) {
    throw proxyError(403, 'forbidden_host', `the Host header does not name this proxy: ${remedy}`);
  }
}

function hasKey(headers: HeaderList, { key }: AccessRules): boolean {
  if (key === undefined) return false;
  // Compare all of them, so that the time taken reveals nothing.
  return keysIn(headers)
    .map((value) => isSameSecret(value, key))
    .includes(true);
}

/** Compares digests, which have equal lengths, in a time that does not depend on where they differ. */
function isSameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** The name or address in a host with an optional port, in lower case; empty for any other text. */
export function nameIn(host: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(host.toLowerCase()) ?? [];
  return bracketed ?? plain ?? '';
}

function isOwnName(name: string, { address, hosts }: AccessRules): boolean {
  if (isLoopback(name) || hosts?.has(name) === true) return true;
  if (isLoopback(address)) return false;
  return isIP(name) !== 0 || name === address.toLowerCase() || name === hostname().toLowerCase();
}
