import type { IncomingMessage, ServerResponse } from 'node:http';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { compressZstd } from '../../wire/zstd.ts';
import type { ProxyContext } from '../context.ts';
import { type Conversation, requestMembers } from '../conversation.ts';
import type { Identity } from '../identity.ts';
import { type RawMember, rawString } from '../raw-object.ts';
import { readBody, unpackBody } from '../request-body.ts';
import { upstreamUrl } from '../routes.ts';
import type { SignIn } from '../sign-in.ts';
import { wireTier } from '../tier.ts';
import { handDown } from '../upstream/answer.ts';
import { askUpstream } from '../upstream/http.ts';
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
  const conversation = shape.conversation(identity, heard, 'http');
  const signIn = await context.signIns.current(identity.session);
  const packed = await packedPost(conversation, members, context.host, signIn);
  const answer = await askUpstream({
    url: upstreamUrl(context.upstream, request.url ?? '/'),
    method: 'POST',
    ...packed,
    signal: gone,
    firstByte: limits.firstByte,
  });
  if (answer.statusCode === 401) context.signIns.refused(identity.session, signIn);
  await handDown(answer, response, limits.idle);
}

/** A request in the golden's HTTP shape, packed as its headers say. */
export async function packedPost(
  conversation: Conversation,
  members: readonly RawMember[],
  host: string,
  signIn: SignIn,
  turn?: Map<string, string>,
): Promise<{ headers: HeaderList; body: Buffer }> {
  const facts = {
    host,
    signIn,
    model: rawString(members, 'model') ?? '',
    tier: wireTier(rawString(members, 'service_tier')),
  };
  const shaped = conversation.body(members, turn);
  const plain = Buffer.from(shaped.text, 'utf8');
  const packed = await compressZstd(plain);
  const headers = conversation.post(facts, shaped, packed.length);
  if (headerValue(headers, 'content-encoding') === 'zstd') return { headers, body: packed };
  return { headers: conversation.post(facts, shaped, plain.length), body: plain };
}
