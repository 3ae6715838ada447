import type { HeaderList } from './headers.ts';

/**
 * A block of headers for HTTP/2 (HPACK, RFC 7541): each as a literal that is not indexed (section 6.2.2), with the bytes of its
 * name and value as they are. So a block does not depend on those before it.
 */
export function encodeHeaders(headers: HeaderList): Buffer {
  return Buffer.concat(
    headers.flatMap(([name, value]) => [literalNotIndexed, ...encodeString(name), ...encodeString(value)]),
  );
}

const literalNotIndexed = Buffer.of(0);

/** A length in the form of section 5.1, with a prefix of 7 bits, and the bytes. */
function encodeString(text: string): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 0x7f) return [Buffer.of(bytes.length), bytes];
  const length = [0x7f];
  let rest = bytes.length - 0x7f;
  for (; rest >= 0x80; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return [Buffer.from([...length, rest]), bytes];
}
