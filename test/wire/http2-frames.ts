/** Bytes of HTTP/2 for tests, written by hand (RFC 9113). */

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** A frame by the number of its type. */
export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

/** The header block of `GET /`, by the static table, with `:authority` a. */
export const get = Buffer.from('828684410161', 'hex');

/** 32 bits. */
export const number = (value: number) => Buffer.from(value.toString(16).padStart(8, '0'), 'hex');

/** Settings by their numbers. */
export const settings = (...values: readonly (readonly [id: number, value: number])[]) =>
  frame(
    4,
    0,
    0,
    Buffer.concat(values.map(([id, value]) => Buffer.concat([number(id).subarray(2), number(value)]))),
  );

export const many = (count: number, make: (index: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));

/** `GET /` on a stream. The flags say that its headers end here. */
export const request = (stream: number, flags = 0x4) => frame(1, flags, stream, get);

/** What a hostile client may send after its preface. */
export const hostile: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['an HPACK block that is wrong', frame(1, 0x4, 1, Buffer.of(0xff))],
  ['a frame that is too long', frame(0, 0, 1, Buffer.alloc(20_000))],
  [
    'a flood of continuations',
    Buffer.concat([frame(1, 0, 1, get), many(5, () => frame(9, 0, 1, Buffer.alloc(16_000)))]),
  ],
  ['a flood of requests', many(200, (index) => request(2 * index + 1))],
  [
    'a flood of resets',
    many(1100, (index) => Buffer.concat([request(2 * index + 1), frame(3, 0, 2 * index + 1, number(8))])),
  ],
  ['a flood of settings', many(10_000, () => settings([4, 1]))],
  [
    'a window that stays 0',
    Buffer.concat([settings([4, 0]), many(50, (index) => request(2 * index + 1, 0x5))]),
  ],
];
