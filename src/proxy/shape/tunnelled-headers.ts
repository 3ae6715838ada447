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
 * that is. It runs for each request, so it compares no names one by one.
 */
export function tunnelledHeaders(
  { headers, fedrampHeaders }: RequestPattern,
  clientHeaders: HeaderList,
  { host, signIn }: TunnelFacts,
): HeaderList | undefined {
  const own = new Map([
    ['host', host],
    ['authorization', `Bearer ${signIn.accessToken}`],
  ]);
  if (signIn.lane === 'chatgpt') own.set('chatgpt-account-id', signIn.accountId);
  const sent = new Map<string, string>();
  for (const [name, value] of clientHeaders) {
    const lower = name.toLowerCase();
    if (!proxyHeaderNames.has(lower) && !sent.has(lower)) sent.set(lower, value);
  }
  const isFedramp = signIn.lane === 'chatgpt' && signIn.fedramp === true;
  const result: [string, string][] = [];
  for (const [lower, { name, required, value: pattern }] of isFedramp ? fedrampHeaders : headers) {
    const value = sent.get(lower);
    const stated = own.get(lower);
    if (value !== undefined) result.push([name, value]);
    else if (stated !== undefined) result.push([name, escapeForHeader(stated)]);
    else if (required && lower !== liteHeader) {
      if (pattern.kind !== 'node' || pattern.node.kind !== 'string') return undefined;
      result.push([name, pattern.node.value]);
    }
  }
  return result;
}
