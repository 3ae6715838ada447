import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { headerValue } from '../../wire/headers.ts';
import { readBody, tooLargeStatus, unpackBody } from '../http/body.ts';
import { ApiError } from '../http/errors.ts';
import { giveWay } from '../http/give-way.ts';
import { countPassedBytes } from '../http/passed-bytes.ts';
import { tooManyBytesCode } from '../http/request-bytes.ts';
import { sendBackendResponse, streamBackendResponse } from '../http/send.ts';
import type { HttpForm } from '../http/upstream/http-form.ts';
import { KeptConnection } from '../http/upstream/kept-connection.ts';
import { SecureConnection } from '../http/upstream/secure-connection.ts';
import {
  longestRefusal,
  readResponse,
  sendUpstream,
  type UpstreamRequest,
  upstreamUrl,
} from '../http/upstream/send-upstream.ts';
import { isDirect, keptWayOut } from '../http/upstream/way-out.ts';
import type { HttpContext } from '../request-context.ts';
import type { Identity } from '../shape/identity.ts';
import { requestMembers } from '../shape/raw-json.ts';
import { mostAccountChanges } from '../sign-in/renewals.ts';
import { holderOf, type SignIn } from '../sign-in/sign-in.ts';
import { isAccountStatus, reportRefusal, watchResponse } from './relayed-account.ts';
import { signedHeaders } from './signed-headers.ts';
import { tunnelHeaders } from './tunnel-decision.ts';

/** Bytes of a body that is read before it is sent, so that it can be sent again. */
const smallBody = 1024 * 1024;

/**
 * Relays the POST of an official client, which does its own retries. If nothing is missing from it, its body goes upstream as
 * it came. Otherwise the proxy sends a request in the golden's shape. Without a golden of the version's HTTP requests, or when
 * the body is not a request or too large to be read, the POST is forwarded unchanged. The backend's response is streamed to
 * the client.
 */
export async function relayPost(context: HttpContext, identity: Identity): Promise<void> {
  const { request, headers, shape, limits, requestBytes, heldBytes, host, signIns } = context;
  // The client could send it directly. So forward what is too large to be read here, or too large at present.
  const most = Math.min(limits.bodyBytes, requestBytes.free);
  const announced = Number(headerValue(headers, 'content-length'));
  const bounds = { limit: limits.bodyBytes, heldBytes };
  const first = await signIns.current(identity.session);
  const firstHeaders = tunnelHeaders('http', context, first);
  if (firstHeaders !== undefined) {
    context.metrics.add('tunnels_total');
    // Another account may need the body again, and so may a kept connection that has just ended.
    const canRepeat = announced <= Math.min(most, signIns.hasSeveral ? limits.bodyBytes : smallBody);
    const body = canRepeat ? await readBody(request, bounds) : request;
    if (Buffer.isBuffer(body)) countPassedBytes(body.length);
    return relayTo(context, { identity, first, canRepeat }, (signIn) => {
      const own = signIn === first ? firstHeaders : tunnelHeaders('http', context, signIn);
      // The account may be of another kind after a change.
      return { headers: own ?? signedHeaders(headers, signIn, host), body, ...keptWay(context) };
    });
  }
  if (announced > most) return passThrough(context);
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
  return relayTo(context, { identity, first, canRepeat: true }, (signIn) =>
    shaper.post({ members, host, signIn }),
  );
}

type RelayedPost = {
  readonly identity: Identity;
  /** The sign-in of the first attempt. */
  readonly first: SignIn;
  /** Whether the body can be sent again. */
  readonly canRepeat: boolean;
};

/** Sends a POST with the sign-in of its session, and streams the response to the client. */
async function relayTo(
  context: HttpContext,
  { identity: { session }, first, canRepeat }: RelayedPost,
  requestFor: (
    signIn: SignIn,
  ) => MaybePromise<Pick<UpstreamRequest, 'headers' | 'body' | 'agent' | 'connection'>>,
): Promise<void> {
  const { response, limits, signal, signIns } = context;
  const url = upstreamUrl(context.upstream, context.target);
  for (let changes = 0; ; changes += 1) {
    const signIn = changes === 0 ? first : await signIns.current(session);
    const packed = await requestFor(signIn);
    context.metrics.add('upstream_connections_total', 1, 'transport=http');
    const backend = await sendUpstream({
      url,
      method: 'POST',
      ...packed,
      signal,
      form: context.shape.httpForm,
    });
    if (backend.statusCode === 401) signIns.refused(session, signIn);
    const account = { signIns, session, holder: holderOf(signIn) };
    if (!signIns.hasSeveral || !canRepeat || !isAccountStatus(backend.statusCode)) {
      watchResponse(backend, account);
      return streamBackendResponse(backend, response, signal);
    }
    // One that may be about the account is read first: the session may go to another account before the client notices.
    const refusal = await readResponse(backend, { bytes: longestRefusal, milliseconds: limits.idle });
    if (reportRefusal(account, refusal) && changes < mostAccountChanges) continue;
    return sendBackendResponse(response, refusal, []);
  }
}

type MaybePromise<Value> = Value | Promise<Value>;

/** The connection to the backend that belongs to a client's connection. The official client keeps its own, too. */
const keptWays = new WeakMap<Socket, KeptWay>();

type KeptWay = Pick<UpstreamRequest, 'agent' | 'connection'>;

function keptWay({ request: { socket }, upstream, limits, shape }: HttpContext) {
  const known = keptWays.get(socket);
  if (known !== undefined) return known;
  const kept = newWay(upstream, limits.connectionIdle, shape.httpForm);
  keptWays.set(socket, kept);
  socket.once('close', () => (kept.connection ?? kept.agent)?.destroy());
  return kept;
}

function newWay(upstream: URL, idle: number, form: HttpForm): KeptWay {
  if (upstream.protocol === 'https:') return { connection: new SecureConnection(form, idle) };
  return isDirect(upstream)
    ? { connection: new KeptConnection(idle) }
    : { agent: keptWayOut(upstream, idle) };
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
    form: context.shape.httpForm,
  });
  if (context.method === 'POST') watchResponse(backend, { signIns, session, holder: holderOf(signIn) });
  await streamBackendResponse(backend, response, signal);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}
