import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeFrame, masked } from '../../src/wire/websocket-frame.ts';
import { FrameScanner, type MessagePart } from '../../src/wire/websocket-scanner.ts';
import { anyCut, byteByByte } from './chunking.ts';

type Seen = { readonly opcode: string; readonly compressed: boolean; readonly payload: string };

/** Scans chunks as a tunnel does. Returns the messages and control frames, and the bytes that were passed on. */
function scanAll(from: 'client' | 'backend', chunks: readonly Buffer[]) {
  const seen: Seen[] = [];
  let parts: MessagePart[] = [];
  const scanner = new FrameScanner({
    from,
    deflate: true,
    onPart: (part) => {
      parts.push(part);
      if (!part.ends) return;
      const payload = Buffer.concat(
        parts.map(({ chunk, start, end, mask }) => {
          const key = Buffer.alloc(4);
          key.writeInt32BE(mask);
          return masked(chunk.subarray(start, end), key);
        }),
      );
      expect(parts.every(({ begins }, index) => begins === (index === 0))).toBe(true);
      const { opcode, compressed } = part;
      seen.push({ opcode, compressed, payload: payload.toString('hex') });
      parts = [];
    },
    onControl: ({ opcode, payload }) => {
      seen.push({ opcode, compressed: false, payload: payload.toString('hex') });
    },
  });
  const passed: Buffer[] = [];
  let held = Buffer.alloc(0);
  for (const chunk of chunks) {
    const bytes = Buffer.concat([held, chunk]);
    const understood = scanner.scan(bytes);
    passed.push(bytes.subarray(0, understood));
    held = bytes.subarray(understood);
  }
  return { seen, passed: Buffer.concat(passed), scanner };
}

const anyPayload = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.integer({ min: 65_530, max: 65_540 }).map((length) => new Uint8Array(length).fill(length)),
);
const anyMessage = fc.record({
  opcode: fc.constantFrom('text', 'binary', 'close', 'ping', 'pong'),
  compressed: fc.boolean(),
  fragments: fc.array(anyPayload, { minLength: 1, maxLength: 3 }),
});

it.each(['client', 'backend'] as const)('finds the frames of the %s, however its bytes are split', (from) => {
  const mask = from === 'client' ? Buffer.from('1234abcd', 'hex') : undefined;
  fc.assert(
    fc.property(fc.array(anyMessage, { maxLength: 4 }), anyCut, (messages, cut) => {
      const expected: Seen[] = [];
      const frames = messages.flatMap(({ opcode, compressed, fragments }) => {
        const isData = opcode === 'text' || opcode === 'binary';
        const payloads = isData
          ? fragments.map((bytes) => Buffer.from(bytes))
          : [Buffer.from(fragments[0] ?? []).subarray(0, 125)];
        const payload = Buffer.concat(payloads).toString('hex');
        expected.push({ opcode, compressed: isData && compressed, payload });
        return payloads.map((bytes, index) =>
          encodeFrame({
            opcode: index === 0 ? opcode : 'continuation',
            payload: bytes,
            mask,
            fin: index === payloads.length - 1,
            rsv1: isData && compressed && index === 0,
          }),
        );
      });
      const bytes = Buffer.concat(frames);
      const { seen, passed, scanner } = scanAll(from, cut(bytes));
      expect(seen).toEqual(expected);
      expect(passed.equals(bytes)).toBe(true);
      expect([scanner.betweenFrames, scanner.betweenMessages]).toEqual([true, true]);
    }),
    { numRuns: 60 },
  );
});

it('reports a ping within a fragmented message in place, and knows where frames and messages end', () => {
  const bytes = Buffer.from('0102616289027069800163', 'hex');
  const { scanner } = scanAll('backend', [bytes.subarray(0, 4)]);
  expect([scanner.betweenFrames, scanner.betweenMessages, scanner.messages]).toEqual([true, false, 1]);
  const { seen } = scanAll('backend', byteByByte(bytes));
  expect(seen.map(({ opcode, payload }) => `${opcode} ${payload}`)).toEqual(['ping 7069', 'text 616263']);
});

it('holds a control frame and a header back until they are complete, and no byte more', () => {
  for (const [hex, understood] of [
    ['8902ff', 0],
    ['81', 0],
    ['817e01', 0],
    ['817f00000000', 0],
    ['817e0100ff', 5],
    ['810161880203', 3],
  ] as const) {
    expect(scanAll('backend', [Buffer.from(hex, 'hex')]).passed).toHaveLength(understood);
  }
});

it.each([
  ['an unmasked frame of a client', 'client', '810161'],
  ['a masked frame of a backend', 'backend', '81810000000061'],
  ['an unknown opcode', 'backend', '8300'],
  ['an unknown control opcode', 'backend', '8b00'],
  ['RSV2', 'backend', 'a100'],
  ['RSV3', 'backend', '9100'],
  ['RSV1 of a control frame', 'backend', 'c900'],
  ['RSV1 of a continuation', 'backend', '0100c000'],
  ['a fragmented control frame', 'backend', '0900'],
  ['a long control frame', 'backend', '897e0080'],
  ['a continuation without a message', 'backend', '8000'],
  ['a message inside another', 'backend', '01008100'],
  ['a length that no frame can have', 'backend', '817fffffffffffffffff'],
] as const)('rejects %s', (_, from, hex) => {
  expect(() => scanAll(from, [Buffer.from(hex, 'hex')])).toThrow('a websocket');
});

it('rejects compressed messages if compression was not negotiated', () => {
  const scanner = new FrameScanner({ from: 'backend', deflate: false, onPart() {}, onControl() {} });
  expect(() => scanner.scan(Buffer.from('c100', 'hex'))).toThrow('RSV1');
});

it('does not report messages that are of no interest, but counts them', () => {
  const parts: string[] = [];
  const scanner = new FrameScanner({
    from: 'backend',
    deflate: false,
    onPart: ({ chunk, start, end }) => parts.push(chunk.toString('utf8', start, end)),
    onControl() {},
    skips: (chunk, start, length) => length === 1 && chunk[start] === 0x61,
  });
  scanner.scan(Buffer.from('810161810162010161800161', 'hex'));
  expect(parts).toEqual(['b', 'a', 'a']);
  expect(scanner.messages).toBe(3);
});
