import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import { sendText } from '../../../src/proxy/http/upstream/send-text.ts';
import { textOf } from '../../../src/wire/content-collector.ts';
import { WebSocketDecoder } from '../../../src/wire/websocket.ts';
import { accept, startRawBackend } from '../raw-websocket.ts';

/** Opens a websocket to a backend that reads bytes and sends nothing. */
async function openWriter(lines: readonly string[] = []) {
  const { url, ends } = await startRawBackend(accept(lines));
  const websocket = new WebSocket(url.href.replace('http', 'ws'));
  onTestFinished(() => websocket.terminate());
  const upgraded: Promise<IncomingMessage[]> = once(websocket, 'upgrade');
  await once(websocket, 'open');
  const [{ socket } = expect.unreachable()] = await upgraded;
  const [backend = expect.unreachable()] = ends;
  const send = (...parts: readonly string[]) =>
    new Promise<void>((resolve) => sendText(websocket, socket, parts, resolve));
  /** Returns what the backend has received: texts, and pings and pongs with their payload. */
  const received = () =>
    new WebSocketDecoder('client', null)
      .push(backend.rest())
      .flatMap((event) => (event.type === 'message' ? [event.message] : []))
      .map(({ opcode, payload, fragments }) => {
        expect(fragments).toBe(1);
        return opcode === 'text' ? textOf(payload) : `${opcode} ${textOf(payload)}`;
      });
  return { websocket, backend, send, received };
}

it('sends the parts of a text as one message, of whatever length', async () => {
  const { send, received } = await openWriter();
  const lengths = [0, 1, 7, 8, 9, 125, 126, 65_535, 65_536, 87_376, 87_377, 262_128, 262_129, 1_000_000];
  const sent = lengths.map((length) => 'x'.repeat(length));
  for (const text of sent) await send(text.slice(0, 3), text.slice(3), '');
  await send('zwölf ', '🙂'.repeat(70_000), '\ud800');
  const last = `zwölf ${'🙂'.repeat(70_000)}\ufffd`;
  await vi.waitFor(() => expect(received()).toEqual([...sent, last]));
});

it('masks each message with another key', async () => {
  const { send, backend } = await openWriter();
  const count = 64;
  for (let n = 0; n < count; n += 1) await send('hello world');
  const length = 2 + 4 + 'hello world'.length;
  await vi.waitFor(() => expect(backend.rest()).toHaveLength(count * length));
  const frames = Array.from({ length: count }, (_, n) =>
    backend.rest().subarray(n * length, (n + 1) * length),
  );
  expect(new Set(frames.map((frame) => frame.toString('hex', 2, 6))).size).toBe(count);
  expect(frames.filter((frame) => frame.includes('hello')).length).toBe(0);
});

it('keeps texts, pings and pongs apart while the backend does not read', async () => {
  const { websocket, backend, send, received } = await openWriter();
  backend.socket.pause();
  const texts = Array.from({ length: 200 }, (_, n) => `${n} `.repeat(16_000));
  const all = texts.map((text, n) => {
    websocket.ping(String(n));
    const sending = send(text);
    websocket.pong(String(n));
    return sending;
  });
  expect(websocket.bufferedAmount).toBeGreaterThan(1_000_000);
  backend.socket.resume();
  await Promise.all(all);
  const expected = texts.flatMap((text, n) => [`ping ${n}`, text, `pong ${n}`]);
  await vi.waitFor(() => expect(received()).toEqual(expected), { timeout: 5000 });
  expect(websocket.bufferedAmount).toBe(0);
});

it('leaves a websocket with compression to the library', async () => {
  const { backend, send } = await openWriter(['Sec-WebSocket-Extensions: permessage-deflate']);
  await send('hello '.repeat(1000));
  await vi.waitFor(() => expect(backend.rest().length).toBeGreaterThan(0));
  // RSV1 says that it is compressed.
  expect(backend.rest()[0]).toBe(0xc1);
});

it('says that a message is done with also if the connection ends first', async () => {
  const { websocket, backend, send } = await openWriter();
  backend.socket.pause();
  const texts = Array.from({ length: 100 }, () => send('x'.repeat(80_000)));
  websocket.terminate();
  await Promise.all([...texts, send('too late')]);
});
