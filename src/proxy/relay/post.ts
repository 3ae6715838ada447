import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HeaderList } from '../../wire/headers.ts';
import type { ProxyContext } from '../context.ts';
import { readBody, unpackBody } from '../http/body.ts';
import { streamBackendResponse } from '../http/send.ts';
import { sendUpstream } from '../http/upstream/request.ts';
import { upstreamUrl } from '../routes.ts';
import type { Identity } from '../shape/identity.ts';
import { packPost } from '../shape/pack-post.ts';
import { requestMembers } from '../shape/read-request.ts';
import { passThrough } from './pass-through.ts';

/**
 * Relays the POST of an official client, which does its own retries: one request up in the golden's shape, and
 * whatever the backend answers down. Where the version's HTTP shape is not known, or the body is no request, it goes
 * up as it came.
 */
export async function relayPost(
  context: ProxyContext,
  request: IncomingMessage,
  response: ServerResponse,
  heard: HeaderList,
  identity: Identity,
  gone: AbortSignal,
): Promise<void> {
  const { shape, limits } = context;
  const body = await readBody(request, limits.bodyBytes);
  const members = requestMembers(await unpackBody(body, heard, limits.bodyBytes));
  if (members === undefined || !shape.speaksHttp) {
    return passThrough(context, request, response, gone, body);
  }
  const shaper = shape.shaper('http', { identity, clientHeaders: heard });
  const signIn = await context.signIns.current(identity.session);
  const packed = await packPost(shaper, { members, host: context.host, signIn });
  context.metrics.add('upstream_connections_total', 1, 'transport=http');
  const answer = await sendUpstream({
    url: upstreamUrl(context.upstream, request.url ?? '/'),
    method: 'POST',
    ...packed,
    signal: gone,
    firstByte: limits.firstByte,
  });
  if (answer.statusCode === 401) context.signIns.refused(identity.session, signIn);
  await streamBackendResponse(answer, response, limits.idle);
}
