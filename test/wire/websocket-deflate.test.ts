import { randomBytes } from 'node:crypto';
import {
  createDeflateRaw,
  createInflateRaw,
  type DeflateRaw,
  type InflateRaw,
  constants as zlib,
} from 'node:zlib';
import { expect, it } from 'vitest';
import { MessageDeflater, MessageInflater, negotiatedDeflate } from '../../src/wire/websocket-deflate.ts';

it('reads a permessage-deflate without parameters', () => {
  expect(negotiatedDeflate([['sec-websocket-extensions', 'permessage-deflate']])).toEqual({
    client: { contextTakeover: true, windowBits: 15 },
    backend: { contextTakeover: true, windowBits: 15 },
  });
});

it('reads all parameters, quoted or not, after another extension', () => {
  const headers = [
    ['Sec-WebSocket-Extensions', 'x-other; a=b'],
    [
      'Sec-WebSocket-Extensions',
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover; ' +
        'server_max_window_bits="10"; client_max_window_bits=12',
    ],
  ] as const;
  expect(negotiatedDeflate(headers)).toEqual({
    client: { contextTakeover: false, windowBits: 12 },
    backend: { contextTakeover: false, windowBits: 10 },
  });
});

it('finds no permessage-deflate when none was negotiated', () => {
  expect(negotiatedDeflate([['upgrade', 'websocket']])).toBeNull();
  expect(negotiatedDeflate([['sec-websocket-extensions', 'x-webkit-deflate-frame']])).toBeNull();
});

/** Messages that overflow the 32 KiB window several times over, and repeat far back. */
function longConversation(): Buffer[] {
  const phrases = Array.from({ length: 40 }, () => randomBytes(1500));
  return Array.from({ length: 120 }, (_, turn) =>
    Buffer.concat([
      phrases[turn % 40] ?? Buffer.alloc(0),
      phrases[(turn * 7) % 40] ?? Buffer.alloc(0),
      Buffer.from('tail'),
    ]),
  );
}

/** One long zlib stream, flushed after each message: what a real endpoint does. */
async function flushed(stream: DeflateRaw | InflateRaw, bytes: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  const collect = (part: Buffer) => parts.push(part);
  stream.on('data', collect);
  stream.write(bytes);
  await new Promise<void>((resolve) => stream.flush(zlib.Z_SYNC_FLUSH, () => resolve()));
  stream.off('data', collect);
  return Buffer.concat(parts);
}

it('inflates, message by message, the output of one long deflate stream', async () => {
  const stream = createDeflateRaw();
  const inflater = new MessageInflater({ contextTakeover: true, windowBits: 15 });
  for (const message of longConversation()) {
    const deflated = await flushed(stream, message);
    expect(deflated.subarray(-4).toString('hex')).toBe('0000ffff');
    expect(inflater.inflate(deflated.subarray(0, -4)).equals(message)).toBe(true);
  }
});

it('deflates within the negotiated window, for a receiver with one long inflate stream', async () => {
  for (const windowBits of [9, 12, 15]) {
    const deflater = new MessageDeflater({ contextTakeover: true, windowBits });
    const stream = createInflateRaw({ windowBits });
    for (const message of longConversation()) {
      const deflated = Buffer.concat([deflater.deflate(message), Buffer.from('0000ffff', 'hex')]);
      expect((await flushed(stream, deflated)).equals(message)).toBe(true);
    }
  }
});
