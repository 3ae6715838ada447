import type { IncomingMessage } from 'node:http';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { keyHeaders } from '../guard.ts';
import { readBody, tooLargeStatus, unpackBody } from '../http/body.ts';
import { ApiError } from '../http/errors.ts';
import { giveWay } from '../http/give-way.ts';
import { tooManyBytesCode } from '../http/request-bytes.ts';
import { sendBackendResponse, streamBackendResponse } from '../http/send.ts';
import {
  endToEnd,
  longestRefusal,
  readResponse,
  sendUpstream,
  upstreamUrl,
} from '../http/upstream/send-upstream.ts';
import type { HttpContext } from '../request-context.ts';
import type { Identity } from '../shape/identity.ts';
import { requestMembers } from '../shape/raw-json.ts';
import { mostAccountChanges } from '../sign-in/renewals.ts';
import { holderOf, type SignIn } from '../sign-in/sign-in.ts';
import { isAccountStatus, reportRefusal, watchResponse } from './relayed-account.ts';

/**
 * Relays the POST of an official client, which does its own retries: sends one request in the golden's shape, and
 * streams the backend's response to the client. Without a golden of the version's HTTP requests, or when the body is
 * not a request or too large to be read, the POST is forwarded unchanged.
 */
export async function relayPost(context: HttpContext, identity: Identity): Promise<void> {
  const { request, response, headers, shape, limits, requestBytes, heldBytes, host, signal } = context;
  // The client could send it directly. So forward what is too large to be read here, or too large at present.
  const most = Math.min(limits.bodyBytes, requestBytes.free);
  if (Number(headerValue(headers, 'content-length')) > most) return passThrough(context);
  const bounds = { limit: limits.bodyBytes, heldBytes };
  const body = await readBody(request, bounds);
  const text = await unpackBody(body, headers, bounds).catch((error: unknown) => {
    const isTooLarge =
      error instanceof ApiError && (error.status === tooLargeStatus || error.code === tooManyBytesCode);
    if (isTooLarge) return undefined;
    throw error;
  });
  const length = text?.length ?? 0;
  await giveWay(length);
  const members = text === undefined ? undefined : requestMembers(text);
  await giveWay(length);
  if (members === undefined || !shape.speaksHttp) return passThrough(context, body);
  const shaper = shape.shaper('http', { identity, clientHeaders: headers });
  const { signIns } = context;
  const { session } = identity;
  const url = upstreamUrl(context.upstream, context.target);
  for (let changes = 0; ; changes += 1) {
    const signIn = await signIns.current(session);
    const packed = await shaper.post({ members, host, signIn });
    context.metrics.add('upstream_connections_total', 1, 'transport=http');
    const backend = await sendUpstream({ url, method: 'POST', ...packed, signal });
    if (backend.statusCode === 401) signIns.refused(session, signIn);
    const account = { signIns, session, holder: holderOf(signIn) };
    if (!signIns.hasSeveral || !isAccountStatus(backend.statusCode)) {
      watchResponse(backend, account);
      return streamBackendResponse(backend, response, signal);
    }
    // One that may be about the account is read first: the session may go to another account before the client notices.
    const refusal = await readResponse(backend, { bytes: longestRefusal, milliseconds: limits.idle });
    if (reportRefusal(account, refusal) && changes < mostAccountChanges) continue;
    return sendBackendResponse(response, refusal, []);
  }
}

/**
 * Forwards a request of any length unchanged but for its sign-in, and streams the backend's response to the client, for as
 * long as the client waits. `body` is the request's body if it has been read already.
 */
export async function passThrough(context: HttpContext, body?: Buffer): Promise<void> {
  const { request, response, headers, identity, host, signal } = context;
  // All requests without a session share one sign-in.
  const session = identity?.session ?? '';
  const { signIns } = context;
  const signIn = await signIns.current(session);
  const backend = await sendUpstream({
    url: upstreamUrl(context.upstream, context.target),
    method: context.method,
    headers: signedHeaders(headers, signIn, host),
    body: body ?? (hasBody(request) ? request : Buffer.alloc(0)),
    signal,
  });
  if (context.method === 'POST') watchResponse(backend, { signIns, session, holder: holderOf(signIn) });
  await streamBackendResponse(backend, response, signal);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
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
