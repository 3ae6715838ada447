import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HpackDecoder } from '../../src/wire/hpack.ts';
import { encodeHeaders } from '../../src/wire/hpack-encode.ts';

it('encodes headers of any length, which do not depend on each other', () => {
  const text = fc.string({ unit: fc.constantFrom(...'az-_ \u00e9\u00ff'), maxLength: 300 });
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { maxLength: 8 }), (headers) => {
      const decoder = new HpackDecoder();
      expect(decoder.decode(encodeHeaders(headers))).toEqual(headers);
      expect(decoder.decode(encodeHeaders(headers.toReversed()))).toEqual(headers.toReversed());
    }),
  );
});

it.each([126, 127, 128, 254, 255, 16_510, 16_511])('encodes a value of %i bytes', (length) => {
  const headers = [['a', 'x'.repeat(length)]] as const;
  expect(new HpackDecoder().decode(encodeHeaders(headers))).toEqual(headers);
});
