import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { compressZstd } from '../../wire/zstd.ts';
import type { SignIn } from '../sign-in/load.ts';
import { type RawMember, rawString } from './raw-json.ts';
import type { Conversation } from './request-shaper.ts';
import { wireTier } from './tier.ts';

/** A POST as it goes upstream. */
export type PackedPost = { readonly headers: HeaderList; readonly body: Buffer };

/** A request in the golden's HTTP shape, packed as its headers say. */
export async function packedPost(
  conversation: Conversation,
  members: readonly RawMember[],
  host: string,
  signIn: SignIn,
  turn?: Map<string, string>,
): Promise<PackedPost> {
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
