import type { HeaderList } from '../../wire/headers.ts';
import { keyHeaders } from '../guard.ts';
import { readBody, unpackBody } from '../http/body.ts';
import { streamBackendResponse } from '../http/send.ts';
import { endToEnd, sendUpstream, upstreamUrl } from '../http/upstream/send-upstream.ts';
import type { HttpContext } from '../request-context.ts';
import type { Identity } from '../shape/identity.ts';
import { requestMembers } from '../shape/raw-json.ts';
import type { SignIn } from '../sign-in/sign-in.ts';

/**
 * Relays the POST of an official client, which does its own retries: sends one request in the golden's shape, and
 * streams the backend's response to the client. Without a golden of the version's HTTP requests, or when the body is
 * not a request, the POST is forwarded unchanged.
 */
export async function relayPost(context: HttpContext, identity: Identity): Promise<void> {
  const { request, response, headers, shape, limits, host, signal } = context;
  const body = await readBody(request, limits.bodyBytes);
  const members = requestMembers(await unpackBody(body, headers, limits.bodyBytes));
  if (members === undefined || !shape.speaksHttp) return passThrough(context, body);
  const shaper = shape.shaper('http', { identity, clientHeaders: headers });
  const signIn = await context.signIns.current(identity.session);
  const packed = await shaper.post({ members, host, signIn });
  context.metrics.add('upstream_connections_total', 1, 'transport=http');
  const url = upstreamUrl(context.upstream, context.target);
  const backend = await sendUpstream({ url, method: 'POST', ...packed, signal, firstByte: limits.firstByte });
  if (backend.statusCode === 401) context.signIns.refused(identity.session, signIn);
  await streamBackendResponse(backend, response, { idle: limits.idle, signal });
}

/**
 * Forwards a request unchanged but for its sign-in, and streams the backend's response to the client. `body` is the
 * request's body if it has been read already.
 */
export async function passThrough(context: HttpContext, body?: Buffer): Promise<void> {
  const { request, response, headers, identity, limits, host, signal } = context;
  // All requests without a session share one sign-in.
  const signIn = await context.signIns.current(identity?.session ?? '');
  const backend = await sendUpstream({
    url: upstreamUrl(context.upstream, context.target),
    method: context.method,
    headers: signedHeaders(headers, signIn, host),
    body: body ?? (await readBody(request, limits.bodyBytes)),
    signal,
    firstByte: limits.firstByte,
  });
  await streamBackendResponse(backend, response, { idle: limits.idle, signal });
}

/** Headers that contain the proxy's key or name the client's account. */
const ownHeaders: ReadonlySet<string> = new Set([
  ...keyHeaders,
  'chatgpt-account-id',
  'x-openai-fedramp',
  'host',
]);

/** The client's headers in their order and case, with the proxy's sign-in and `host` in place of the client's. */
export function signedHeaders(headers: HeaderList, signIn: SignIn, host: string): HeaderList {
  const replacements = new Map([
    ['host', host],
    ['authorization', `Bearer ${signIn.accessToken}`],
  ]);
  if (signIn.lane === 'chatgpt') {
    replacements.set('chatgpt-account-id', signIn.accountId);
    if (signIn.fedramp === true) replacements.set('x-openai-fedramp', 'true');
  }
  const replaced = endToEnd(headers).flatMap(([name, value]): HeaderList => {
    const lower = name.toLowerCase();
    const replacement = replacements.get(lower);
    replacements.delete(lower);
    if (replacement !== undefined) return [[name, replacement]];
    return ownHeaders.has(lower) ? [] : [[name, value]];
  });
  return [...replaced, ...replacements];
}
