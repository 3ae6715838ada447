import type { HeaderList } from '../../wire/headers.ts';
import { keyHeaders } from '../guard.ts';
import { endToEnd } from '../http/upstream/send-upstream.ts';
import type { SignIn } from '../sign-in/sign-in.ts';

/** Headers that contain the proxy's key or name the client's account. */
const ownHeaders: ReadonlySet<string> = new Set([
  ...keyHeaders,
  'chatgpt-account-id',
  'x-openai-fedramp',
  'host',
]);

/** The client's headers in their order and case, with the proxy's sign-in and `host` in place of the client's. */
export function signedHeaders(headers: HeaderList, signIn: SignIn, host: string): HeaderList {
  return signed(endToEnd(headers), signIn, host);
}

/** The same for an upgrade to the websocket protocol. Nothing that could announce a body is kept. */
export function signedUpgradeHeaders(headers: HeaderList, signIn: SignIn, host: string): HeaderList {
  const endToEndNames = new Set(endToEnd(headers).map(([name]) => name.toLowerCase()));
  const kept = headers.flatMap(([name, value]): HeaderList => {
    const lower = name.toLowerCase();
    if (lower === 'connection') return [[name, 'Upgrade']];
    const isKept = endToEndNames.has(lower) || lower === 'upgrade' || lower.startsWith('sec-websocket-');
    return isKept && lower !== 'content-length' ? [[name, value]] : [];
  });
  return signed(kept, signIn, host);
}

function signed(headers: HeaderList, signIn: SignIn, host: string): HeaderList {
  const replacements = new Map([
    ['host', host],
    ['authorization', `Bearer ${signIn.accessToken}`],
  ]);
  if (signIn.lane === 'chatgpt') {
    replacements.set('chatgpt-account-id', signIn.accountId);
    if (signIn.fedramp === true) replacements.set('x-openai-fedramp', 'true');
  }
  const replaced = headers.flatMap(([name, value]): HeaderList => {
    const lower = name.toLowerCase();
    const replacement = replacements.get(lower);
    replacements.delete(lower);
    if (replacement !== undefined) return [[name, replacement]];
    return ownHeaders.has(lower) ? [] : [[name, value]];
  });
  return [...replaced, ...replacements];
}
