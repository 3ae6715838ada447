import { expect, it } from 'vitest';
import { Variation } from '../../src/fault/variation.ts';
import { WebSocketWriter } from '../../src/fault/websocket-writer.ts';
import type { Side } from '../../src/wire/message.ts';
import { WebSocketDecoder } from '../../src/wire/websocket.ts';
import { negotiatedDeflate } from '../../src/wire/websocket-deflate.ts';

const deflate = negotiatedDeflate([['Sec-WebSocket-Extensions', 'permessage-deflate']]);
const texts = Array.from({ length: 40 }, (_, n) => `{"n":${n},"text":"the same words again and again"}`);

/** What a receiver decodes of varied messages. */
function decoded(from: Side, seed: number, connection = 1) {
  const variation = new Variation(seed, connection);
  const writer = new WebSocketWriter(from, deflate, variation);
  const decoder = new WebSocketDecoder(from, deflate);
  return texts
    .map((text) => writer.message({ opcode: 'text', payload: Buffer.from(text), compressed: true }))
    .flatMap((bytes) => variation.pieces(bytes).flatMap((piece) => decoder.push(piece)))
    .map((event) => {
      if (event.type === 'message') return event.message;
      throw new RangeError(event.reason);
    });
}

it.each([1, 2, 3])('keeps the messages of a backend, with seed %i', (seed) => {
  const messages = decoded('backend', seed);
  const payloads = messages.filter(({ opcode }) => opcode === 'text').map(({ payload }) => String(payload));
  expect(payloads).toEqual(texts);
  expect(messages.some(({ opcode }) => opcode === 'ping')).toBe(true);
  expect(messages.some(({ fragments }) => fragments > 1)).toBe(true);
  expect(new Set(messages.map(({ compressed }) => compressed))).toEqual(new Set([true, false]));
});

it('varies nothing that parity compares in the messages of a client', () => {
  const messages = decoded('client', 1);
  expect(messages.map(({ payload }) => String(payload))).toEqual(texts);
  expect(messages.filter(({ fragments, compressed }) => fragments > 1 || !compressed)).toEqual([]);
});

it('varies in the same way for the same seed and connection alone', () => {
  expect(decoded('backend', 1)).toEqual(decoded('backend', 1));
  expect(decoded('backend', 1)).not.toEqual(decoded('backend', 2));
  expect(decoded('backend', 1)).not.toEqual(decoded('backend', 1, 2));
});

it('splits bytes without losing any', () => {
  const bytes = Buffer.from(texts.join(''));
  const pieces = Array.from({ length: 50 }, () => new Variation(7, 1).pieces(bytes));
  for (const split of pieces) expect(Buffer.concat(split)).toEqual(bytes);
  const variation = new Variation(7, 1);
  const counts = new Set(Array.from({ length: 50 }, () => variation.pieces(bytes).length));
  expect(counts.size).toBeGreaterThan(5);
  expect(variation.pieces(Buffer.alloc(0)).length).toBe(1);
});
