import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { readPlainTexts } from '../../../src/proxy/http/upstream/plain-texts.ts';
import { encodeFrame } from '../../../src/wire/websocket-frame.ts';
import { accept, startRawBackend } from '../raw-websocket.ts';

/** As the upstream websocket of the proxy does. */
class EndingWebSocket extends WebSocket {
  override close(): void {
    this.terminate();
  }
}

/** Opens a websocket whose backend sends nothing by itself. `receive` lets it receive bytes, cut into chunks. */
async function openReader(lines: readonly string[] = []) {
  const { url } = await startRawBackend(accept(lines));
  const websocket = new EndingWebSocket(url.href.replace('http', 'ws'));
  onTestFinished(() => websocket.terminate());
  const upgraded: Promise<IncomingMessage[]> = once(websocket, 'upgrade');
  await once(websocket, 'open');
  const [{ socket } = expect.unreachable()] = await upgraded;
  const received: string[] = [];
  let plain = 0;
  readPlainTexts(websocket, socket, ({ bytes, starts, ends }) => {
    plain += starts.length;
    received.push(...starts.map((start, n) => bytes.toString('utf8', start, ends[n])));
  });
  websocket.on('message', (data: Buffer, binary) =>
    received.push(binary ? `binary ${data.toString('hex')}` : data.toString('utf8')),
  );
  websocket.on('ping', (data) => received.push(`ping ${data}`));
  websocket.on('error', (error) => received.push('code' in error ? String(error.code) : error.message));
  const receive = (bytes: Buffer, size = bytes.length) => {
    for (let at = 0; at < bytes.length; at += size) {
      socket.emit('data', Buffer.from(bytes.subarray(at, at + size)));
    }
  };
  return { websocket, received, receive, plain: () => plain };
}

const text = (payload: string | Buffer, options: { fin?: boolean; mask?: Buffer; rsv1?: boolean } = {}) =>
  encodeFrame({ opcode: 'text', payload: Buffer.from(payload), ...options });

const long = 'x'.repeat(300);
const veryLong = 'y'.repeat(70_000);

const stream = Buffer.concat([
  text('one'),
  text('zwölf 🙂'),
  encodeFrame({ opcode: 'ping', payload: Buffer.from('a') }),
  text(''),
  text('be', { fin: false }),
  encodeFrame({ opcode: 'ping', payload: Buffer.from('b') }),
  encodeFrame({ opcode: 'continuation', payload: Buffer.from('gi'), fin: false }),
  encodeFrame({ opcode: 'continuation', payload: Buffer.from('n') }),
  text(long),
  encodeFrame({ opcode: 'binary', payload: Buffer.of(1, 2) }),
  text('\ufffd'),
  text(veryLong),
  text('last'),
]);
const all = [
  'one',
  'zwölf 🙂',
  'ping a',
  '',
  'ping b',
  'begin',
  long,
  'binary 0102',
  '\ufffd',
  veryLong,
  'last',
];

describe('texts of a backend', () => {
  it('are read in order with all other messages, however they are cut into chunks', async () => {
    // The library takes quadratic time for a text in more than 10,000 chunks: the middle of the very long one is cut into fewer.
    const start = stream.indexOf('y'.repeat(1000)) + 1000;
    const middle = stream.subarray(start, start + veryLong.length - 2000);
    for (const size of [1, 2, 3, 5, 7, 11, 64, 305, 1000, 70_000, stream.length]) {
      const { receive, received } = await openReader();
      if (size >= 7) receive(stream, size);
      else {
        receive(stream.subarray(0, start), size);
        receive(middle, 16);
        receive(stream.subarray(start + middle.length), size);
      }
      expect(received).toEqual(all);
    }
  });

  it('are not read by the library if a chunk has them completely', async () => {
    const { receive, plain } = await openReader();
    receive(stream);
    expect(plain()).toBe(6);
    receive(stream.subarray(0, -1));
    expect(plain()).toBe(11);
    receive(stream.subarray(-1));
    // The header of the second text is cut.
    const cut = text('one').length + 1;
    receive(stream.subarray(0, cut));
    receive(stream.subarray(cut));
    expect(plain()).toBe(16);
  });

  it('are read by the library if the websocket has compression', async () => {
    const { receive, received, plain } = await openReader(['Sec-WebSocket-Extensions: permessage-deflate']);
    receive(stream);
    expect(received).toEqual(all);
    expect(plain()).toBe(0);
  });

  it.each([
    ['is not UTF-8', text(Buffer.of(0xff)), 'WS_ERR_INVALID_UTF8'],
    ['ends within a character', text(Buffer.of(0xc3)), 'WS_ERR_INVALID_UTF8'],
    ['is masked', text('masked', { mask: Buffer.from('mask') }), 'WS_ERR_UNEXPECTED_MASK'],
    ['is compressed', text('compressed', { rsv1: true }), 'WS_ERR_UNEXPECTED_RSV_1'],
    ['is within another', Buffer.concat([text('be', { fin: false }), text('gin')]), 'WS_ERR_INVALID_OPCODE'],
  ])('end at one that %s', async (_, invalid, code) => {
    for (const size of [1, 1000]) {
      const { receive, received, websocket } = await openReader();
      receive(Buffer.concat([text('before'), invalid, text('after'), text('after')]), size);
      await new Promise((resolve) => websocket.once('close', resolve));
      expect(received).toEqual(['before', code]);
    }
  });

  it('end at a close', async () => {
    const { receive, received, websocket } = await openReader();
    const closed = once(websocket, 'close');
    const close = encodeFrame({ opcode: 'close', payload: Buffer.of(0x03, 0xf3) });
    receive(Buffer.concat([text('before'), close, text('after')]));
    expect(received).toEqual(['before']);
    expect((await closed)[0]).toBe(1011);
  });
});
