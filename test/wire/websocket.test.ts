import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Opcode, Side, WebSocketMessage } from '../../src/wire/message.ts';
import { acceptKey, WebSocketDecoder, WebSocketEncoder } from '../../src/wire/websocket.ts';
import type { DeflateParameters } from '../../src/wire/websocket-deflate.ts';
import { encodeFrame, encodeFrames } from '../../src/wire/websocket-frame.ts';
import { anyCut, byteByByte } from './chunking.ts';

function decode(chunks: readonly Buffer[], deflate: DeflateParameters | null = null, from: Side = 'client') {
  const decoder = new WebSocketDecoder(from, deflate);
  return [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()];
}

function message(opcode: Opcode, payload: string | Buffer, more: Partial<WebSocketMessage> = {}) {
  const whole = { opcode, payload: Buffer.from(payload), compressed: false, fragments: 1, ...more };
  return { type: 'message', message: whole };
}

/** Decodes in single bytes and in one chunk: the chunking must not matter. */
function expectDecoded(bytes: Buffer, expected: unknown[], deflate: DeflateParameters | null = null) {
  expect(decode([bytes], deflate)).toEqual(expected);
  expect(decode(byteByByte(bytes), deflate)).toEqual(expected);
}

// The examples of RFC 6455 §5.7.
const unmaskedHello = Buffer.from('810548656c6c6f', 'hex');
const maskedHello = Buffer.from('818537fa213d7f9f4d5158', 'hex');
const fragmentedHello = Buffer.from('010348656c80026c6f', 'hex');
const unmaskedPing = Buffer.from('890548656c6c6f', 'hex');
const maskedPong = Buffer.from('8a8537fa213d7f9f4d5158', 'hex');

it('decodes a single unmasked text frame', () => {
  expectDecoded(unmaskedHello, [message('text', 'Hello')]);
});

it('unmasks a single text frame', () => {
  expectDecoded(maskedHello, [message('text', 'Hello')]);
});

it('does not change the masked input', () => {
  const bytes = Buffer.from(maskedHello);
  decode([bytes]);
  expect(bytes).toEqual(maskedHello);
});

it('assembles a fragmented message and counts its fragments', () => {
  expectDecoded(fragmentedHello, [message('text', 'Hello', { fragments: 2 })]);
});

it('reports a ping between two fragments before the message', () => {
  const bytes = Buffer.concat([fragmentedHello.subarray(0, 5), unmaskedPing, fragmentedHello.subarray(5)]);
  expectDecoded(bytes, [message('ping', 'Hello'), message('text', 'Hello', { fragments: 2 })]);
});

it('decodes ping and pong', () => {
  expectDecoded(Buffer.concat([unmaskedPing, maskedPong]), [
    message('ping', 'Hello'),
    message('pong', 'Hello'),
  ]);
});

it('keeps the close code in the payload', () => {
  expectDecoded(Buffer.from('880403e86f6b', 'hex'), [message('close', Buffer.from('03e86f6b', 'hex'))]);
});

it('reads the 16-bit length of 256 bytes', () => {
  const payload = Buffer.alloc(256, 'x');
  expectDecoded(Buffer.concat([Buffer.from('827e0100', 'hex'), payload]), [message('binary', payload)]);
});

it('reads the 64-bit length of 64 KiB', () => {
  const payload = Buffer.alloc(65536, 'x');
  expect(decode([Buffer.concat([Buffer.from('827f0000000000010000', 'hex'), payload])])).toEqual([
    message('binary', payload),
  ]);
});

const takeover: DeflateParameters = {
  client: { contextTakeover: true, windowBits: 15 },
  backend: { contextTakeover: true, windowBits: 15 },
};
const noTakeover: DeflateParameters = {
  client: { contextTakeover: false, windowBits: 15 },
  backend: { contextTakeover: false, windowBits: 15 },
};
const compressedHello = message('text', 'Hello', { compressed: true });

it('decompresses a message in one frame (RFC 7692 §7.2.3.1)', () => {
  expectDecoded(Buffer.from('c107f248cdc9c90700', 'hex'), [compressedHello], takeover);
});

it('decompresses a message in two fragments (RFC 7692 §7.2.3.1)', () => {
  const hello = message('text', 'Hello', { compressed: true, fragments: 2 });
  expectDecoded(Buffer.from('4103f248cd8004c9c90700', 'hex'), [hello], takeover);
});

it('decompresses a message that refers back to the previous one (RFC 7692 §7.2.3.2)', () => {
  const bytes = Buffer.from('c107f248cdc9c90700c105f200110000', 'hex');
  expectDecoded(bytes, [compressedHello, compressedHello], takeover);
});

it('rejects a back reference without context takeover', () => {
  const reason = 'a compressed websocket message that does not decompress';
  const bytes = Buffer.from('c107f248cdc9c90700c105f200110000', 'hex');
  expectDecoded(bytes, [compressedHello, { type: 'undecodable', reason }], noTakeover);
});

it('decompresses a block without compression (RFC 7692 §7.2.3.3)', () => {
  expectDecoded(Buffer.from('c10b000500faff48656c6c6f00', 'hex'), [compressedHello], takeover);
});

it('decompresses a final block and a message that refers back across it (RFC 7692 §7.2.3.4)', () => {
  const bytes = Buffer.from('c108f348cdc9c9070000c105f200110000', 'hex');
  expectDecoded(bytes, [compressedHello, compressedHello], takeover);
});

it('decompresses two blocks in one message (RFC 7692 §7.2.3.5)', () => {
  expectDecoded(
    Buffer.from('c10df248050000 00ffffcac9c90700'.replace(' ', ''), 'hex'),
    [compressedHello],
    takeover,
  );
});

it('does not add an uncompressed message to the context', () => {
  const bytes = Buffer.concat([
    Buffer.from('c107f248cdc9c90700', 'hex'),
    Buffer.from('810161c105f200110000', 'hex'),
  ]);
  expectDecoded(bytes, [compressedHello, message('text', 'a'), compressedHello], takeover);
});

const bad: readonly [what: string, hex: string, reason: string][] = [
  ['an unknown opcode', '8300', 'a websocket frame with an unknown opcode'],
  ['RSV2', 'a100', 'a websocket frame with RSV2 or RSV3 set'],
  ['RSV1 without an extension', 'c100', 'a compressed websocket frame without permessage-deflate'],
  ['a continuation of nothing', '8000', 'a websocket continuation without a message'],
  ['a message inside another', '01008100', 'a websocket message inside another'],
  [
    'a fragmented ping',
    '0900',
    'a websocket control frame that is fragmented, compressed or longer than 125 bytes',
  ],
  ['an absurd length', '827fffffffffffffffff', 'a websocket frame longer than 256 MiB'],
  ['a frame cut off', '810548', 'the connection ended inside a websocket message'],
  ['a message without its last fragment', '010161', 'the connection ended inside a websocket message'],
];

it.each(bad)('reports %s once, as undecodable, after the events before it', (_, hex, reason) => {
  const bytes = Buffer.concat([unmaskedHello, Buffer.from(hex, 'hex')]);
  expectDecoded(bytes, [message('text', 'Hello'), { type: 'undecodable', reason }]);
});

it.each([
  ['a continuation', '4103f248cdc004c9c90700', 'a websocket continuation with RSV1 set'],
  ['a ping', 'c900', 'a websocket control frame that is fragmented, compressed or longer than 125 bytes'],
])('rejects %s that is marked as compressed', (_, hex, reason) => {
  expectDecoded(Buffer.from(hex, 'hex'), [{ type: 'undecodable', reason }], takeover);
});

it('returns no events after the undecodable byte', () => {
  expect(decode([Buffer.from('8300', 'hex'), unmaskedHello])).toHaveLength(1);
});

it('encodes messages into one buffer the same as one by one, for every length form', () => {
  const messages = [0, 1, 125, 126, 0xffff, 0x10000].flatMap((length) =>
    (['text', 'binary'] as const).map((opcode) => ({ opcode, payload: Buffer.alloc(length, length & 0xff) })),
  );
  const each = Buffer.concat(messages.map((message) => encodeFrame(message)));
  expect(encodeFrames(messages).equals(each)).toBe(true);
  expect(encodeFrames([])).toHaveLength(0);
});

it('encodes the examples of RFC 6455 §5.7', () => {
  const payload = Buffer.from('Hello');
  expect(encodeFrame({ opcode: 'text', payload })).toEqual(unmaskedHello);
  expect(encodeFrame({ opcode: 'text', payload, mask: Buffer.from('37fa213d', 'hex') })).toEqual(maskedHello);
  const first = encodeFrame({ opcode: 'text', payload: Buffer.from('Hel'), fin: false });
  const last = encodeFrame({ opcode: 'continuation', payload: Buffer.from('lo') });
  expect(Buffer.concat([first, last])).toEqual(fragmentedHello);
  const long = encodeFrame({ opcode: 'binary', payload: Buffer.alloc(256) });
  expect(long.subarray(0, 4).toString('hex')).toBe('827e0100');
  const longer = encodeFrame({ opcode: 'binary', payload: Buffer.alloc(65536) });
  expect(longer.subarray(0, 10).toString('hex')).toBe('827f0000000000010000');
});

it('masks messages of a client and not those of a backend', () => {
  const payload = Buffer.from('Hello');
  expect(new WebSocketEncoder('backend', null).encode('text', payload)).toEqual(unmaskedHello);
  const bytes = new WebSocketEncoder('client', null).encode('text', payload);
  expect(bytes.readUInt8(1)).toBe(0x85);
  expect(decode([bytes])).toEqual([message('text', 'Hello')]);
});

it('compresses with context takeover as RFC 7692 §7.2.3.2 shows', () => {
  const encoder = new WebSocketEncoder('backend', takeover);
  expect(encoder.encode('text', Buffer.from('Hello')).toString('hex')).toBe('c107f248cdc9c90700');
  expect(encoder.encode('text', Buffer.from('Hello')).toString('hex')).toBe('c105f200110000');
  expect(encoder.encode('ping', Buffer.from('Hello'))).toEqual(unmaskedPing);
});

it('compresses an empty message to one zero byte (RFC 7692 §7.2.3.6)', () => {
  expect(new WebSocketEncoder('backend', takeover).encode('text', Buffer.alloc(0)).toString('hex')).toBe(
    'c10100',
  );
});

it('sends uncompressed when the negotiated window is smaller than zlib supports', () => {
  const deflate = { ...takeover, backend: { contextTakeover: true, windowBits: 8 } };
  expect(new WebSocketEncoder('backend', deflate).encode('text', Buffer.from('Hello'))).toEqual(
    unmaskedHello,
  );
});

const side = fc.record({ contextTakeover: fc.boolean(), windowBits: fc.integer({ min: 8, max: 15 }) });
const anyDeflate = fc.option(fc.record({ client: side, backend: side }), { nil: null });
const anyMessage = fc.record({
  opcode: fc.constantFrom<Opcode>('text', 'binary', 'ping'),
  // Repeats of a few words, so that there is something to refer back to; pings must stay short.
  payload: fc.array(fc.constantFrom('response.', 'item', '{"type":', '\u{1f642}'), { maxLength: 12 }),
});

it('decodes what it encodes, in any chunking and with any parameters', () => {
  fc.assert(
    fc.property(
      anyDeflate,
      fc.constantFrom<Side>('client', 'backend'),
      fc.array(anyMessage, { maxLength: 8 }),
      anyCut,
      (deflate, from, messages, cut) => {
        const encoder = new WebSocketEncoder(from, deflate);
        const sent = messages.map(({ opcode, payload }) => ({
          opcode,
          payload: Buffer.from(payload.join('')),
        }));
        const bytes = Buffer.concat(sent.map(({ opcode, payload }) => encoder.encode(opcode, payload)));
        const events = decode(cut(bytes), deflate, from);
        expect(events).toMatchObject(sent.map((message) => ({ type: 'message', message })));
        expect(events).toHaveLength(sent.length);
      },
    ),
  );
});

it('computes the accept value of RFC 6455 §1.3', () => {
  expect(acceptKey('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});
