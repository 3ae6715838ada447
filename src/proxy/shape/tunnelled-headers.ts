import type { HeaderList } from '../../wire/headers.ts';
import type { SignIn } from '../sign-in/sign-in.ts';
import type { RequestPattern } from './request-pattern.ts';
import { escapeForHeader, liteHeader } from './request-shaper.ts';

/** Headers that are about the proxy's connection and sign-in, whatever a client sends in them. */
const proxyHeaderNames: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'upgrade',
  'authorization',
  'chatgpt-account-id',
  'x-openai-fedramp',
]);

export type TunnelFacts = { readonly host: string; readonly signIn: SignIn };

/**
 * Returns the headers of a tunnelled upgrade or POST: the client's own values in the golden's order and case, with the proxy's
 * sign-in, and with what a client leaves out because it is configured with a proxy. Undefined if the golden does not say what
 * that is. It runs for each request, so it compares no names one by one. `clientHeaders`: see headerValues.
 */
export function tunnelledHeaders(
  { headers, fedrampHeaders }: RequestPattern,
  clientHeaders: ReadonlyMap<string, string>,
  { host, signIn }: TunnelFacts,
): HeaderList | undefined {
  const isFedramp = signIn.lane === 'chatgpt' && signIn.fedramp === true;
  const result: [string, string][] = [];
  for (const [lower, { name, required, value: pattern }] of isFedramp ? fedrampHeaders : headers) {
    const value = proxyHeaderNames.has(lower) ? ownValue(lower, host, signIn) : clientHeaders.get(lower);
    if (value !== undefined) result.push([name, value]);
    else if (required && lower !== liteHeader) {
      if (pattern.kind !== 'node' || pattern.node.kind !== 'string') return undefined;
      result.push([name, pattern.node.value]);
    }
  }
  return result;
}

function ownValue(name: string, host: string, signIn: SignIn): string | undefined {
  if (name === 'host') return escapeForHeader(host);
  if (name === 'authorization') return authorization(signIn.accessToken);
  return name === 'chatgpt-account-id' && signIn.lane === 'chatgpt'
    ? escapeForHeader(signIn.accountId)
    : undefined;
}

/** A token is long, and nearly always the same as in the request before. */
let last = { token: '', header: '' };

function authorization(token: string): string {
  if (token !== last.token) last = { token, header: escapeForHeader(`Bearer ${token}`) };
  return last.header;
}
