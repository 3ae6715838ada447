import { readBody, unpackBody } from '../http/body.ts';
import { streamBackendResponse } from '../http/send.ts';
import { sendUpstream, upstreamUrl } from '../http/upstream/send-upstream.ts';
import type { HttpContext } from '../request-context.ts';
import type { Identity } from '../shape/identity.ts';
import { requestMembers } from '../shape/raw-json.ts';
import { passThrough } from './pass-through.ts';

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
  await streamBackendResponse(backend, response, limits.idle);
}
