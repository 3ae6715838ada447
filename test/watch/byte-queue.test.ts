import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startReverseTap } from '../../src/tap/reverse.ts';
import { type ByteBatch, ByteQueue } from '../../src/watch/byte-queue.ts';
import { backend } from '../tap/local.ts';

function queueWith(limit?: number) {
  const batches: ByteBatch[] = [];
  const waiting = new Int32Array(new SharedArrayBuffer(4));
  const queue = new ByteQueue({
    post: (batch) => batches.push(batch),
    waiting,
    ...(limit === undefined ? {} : { limit }),
  });
  return { batches, waiting, queue, entries: () => batches.flatMap(({ entries }) => entries) };
}

it('posts copies of what passed in one batch, in order, after the relay had them', async () => {
  const { batches, queue, waiting } = queueWith();
  const listener = queue.listen(1);
  const bytes = Buffer.from('abc');
  listener.onData('client', bytes);
  listener.onData('backend', Buffer.from('de'));
  expect(batches).toEqual([]);
  await expect.poll(() => batches.length).toBe(1);
  expect(batches.map(({ bytes: all }) => Buffer.from(all).toString())).toEqual(['abcde']);
  expect(batches[0]?.entries).toMatchObject([
    { type: 'bytes', connection: 1, side: 'client', length: 3 },
    { type: 'bytes', connection: 1, side: 'backend', length: 2 },
  ]);
  expect(waiting[0]).toBe(5);
});

it('leaves a connection out when there is no room, and takes others again when there is', async () => {
  const { queue, waiting, entries } = queueWith(10);
  const [first, second] = [queue.listen(1), queue.listen(2)];
  first.onData('client', Buffer.alloc(8));
  first.onData('client', Buffer.alloc(8));
  first.onData('client', Buffer.alloc(1));
  await expect.poll(() => Atomics.load(waiting, 0)).toBe(8);
  Atomics.sub(waiting, 0, 8);
  first.onData('client', Buffer.alloc(1));
  second.onData('client', Buffer.alloc(9));
  await expect.poll(() => entries().length).toBe(3);
  expect(entries().map(({ type, ...rest }) => [type, 'connection' in rest ? rest.connection : 0])).toEqual([
    ['bytes', 1],
    ['skipped', 1],
    ['bytes', 2],
  ]);
});

it('does not make a relay wait for an analysis that takes nothing', async () => {
  const { queue, entries } = queueWith(100_000);
  const port = await backend((socket: Socket) => socket.pipe(socket));
  const tap = await startReverseTap({
    upstream: { host: '127.0.0.1', port },
    observe: queue.observe,
    listen: queue.listen,
  });
  onTestFinished(() => tap.close());
  const client = connect(tap.port, '127.0.0.1');
  await once(client, 'connect');
  let received = 0;
  client.on('data', (bytes: Buffer) => {
    received += bytes.length;
  });
  client.end(Buffer.alloc(3_000_000));
  await once(client, 'close');
  expect(received).toBe(3_000_000);
  await vi.waitFor(() => expect(entries().at(-1)).toMatchObject({ type: 'closed', connection: 1 }));
  expect(entries().map(({ type }) => type)).toContain('skipped');
});
