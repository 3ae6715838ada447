import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { compressZstd } from '../../wire/zstd.ts';
import type { SignIn } from '../sign-in/sign-in.ts';
import { type RawMember, rawString } from './raw-json.ts';
import type { RequestShaper } from './request-shaper.ts';
import { wireTier } from './tier.ts';

/** Headers and body of a POST to the backend. */
export type PackedPost = { readonly headers: HeaderList; readonly body: Buffer };

export type PackPostOptions = {
  readonly members: readonly RawMember[];
  readonly host: string;
  readonly signIn: SignIn;
  /** See RequestShaper#body. */
  readonly turnValues?: Map<string, string>;
};

/** Shapes a request for HTTP and compresses its body if the golden's headers say so. */
export async function packPost(
  shaper: RequestShaper,
  { members, host, signIn, turnValues }: PackPostOptions,
): Promise<PackedPost> {
  const facts = {
    host,
    signIn,
    model: rawString(members, 'model') ?? '',
    tier: wireTier(rawString(members, 'service_tier')),
  };
  const shaped = shaper.body(members, turnValues);
  const plain = Buffer.from(shaped.text, 'utf8');
  const packed = await compressZstd(plain);
  const headers = shaper.postHeaders(facts, shaped, packed.length);
  if (headerValue(headers, 'content-encoding') === 'zstd') return { headers, body: packed };
  return { headers: shaper.postHeaders(facts, shaped, plain.length), body: plain };
}
