import type { IncomingMessage, ServerResponse } from 'node:http';
import { type HeaderList, pairHeaders } from '../../wire/headers.ts';
import type { ProxyContext } from '../context.ts';
import { keyHeaders } from '../guard.ts';
import { readBody } from '../http/body.ts';
import { endToEnd } from '../http/end-to-end.ts';
import { streamBackendResponse } from '../http/send.ts';
import { sendUpstream } from '../http/upstream/request.ts';
import { upstreamUrl } from '../routes.ts';
import { officialIdentity } from '../shape/identity.ts';
import type { SignIn } from '../sign-in/sign-in.ts';

/** Sends a request upstream as it came, with the sign-in put in, and hands the answer down. */
export async function passThrough(
  context: ProxyContext,
  request: IncomingMessage,
  response: ServerResponse,
  gone: AbortSignal,
  body?: Buffer,
): Promise<void> {
  const { limits, host } = context;
  const heard = pairHeaders(request.rawHeaders);
  const answer = await sendUpstream({
    url: upstreamUrl(context.upstream, request.url ?? '/'),
    method: request.method ?? 'GET',
    headers: signedHeaders(heard, await context.signIns.current(sessionOf(heard)), host),
    body: body ?? (await readBody(request, limits.bodyBytes)),
    signal: gone,
    firstByte: limits.firstByte,
  });
  await streamBackendResponse(answer, response, limits.idle);
}

/** What names the client's account, or shows the proxy's key. */
const notPassed: ReadonlySet<string> = new Set([...keyHeaders, 'chatgpt-account-id', 'host']);

/** The session of a request, for choosing its sign-in; the same for all that name none. */
export function sessionOf(headers: HeaderList): string {
  return officialIdentity(headers)?.session ?? '';
}

/** A client's headers in their order and case, with the sign-in in the place of what the client showed. */
export function signedHeaders(heard: HeaderList, signIn: SignIn, host: string): HeaderList {
  const given = new Map([
    ['host', host],
    ['authorization', `Bearer ${signIn.accessToken}`],
  ]);
  if (signIn.lane === 'chatgpt') given.set('chatgpt-account-id', signIn.accountId);
  const headers = endToEnd(heard).flatMap(([name, value]): HeaderList => {
    const lower = name.toLowerCase();
    const own = given.get(lower);
    given.delete(lower);
    if (own !== undefined) return [[name, own]];
    return notPassed.has(lower) ? [] : [[name, value]];
  });
  return [...headers, ...given];
}
