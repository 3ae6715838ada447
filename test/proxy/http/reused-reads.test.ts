import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { listenLocally } from '../../../src/listening.ts';
import type { ReusedReads } from '../../../src/proxy/http/upstream/reused-reads.ts';

type ReusedConnection = { readonly reads: ReusedReads; readonly socket: Socket; readonly peer: Socket };

/** Opens a connection that reads into memory that is used again. */
async function openConnection(): Promise<ReusedConnection> {
  const { ReusedReads } = await import('../../../src/proxy/http/upstream/reused-reads.ts');
  const server = createServer();
  const port = await listenLocally(server);
  const reads = new ReusedReads();
  const socket = connect({ port, host: '127.0.0.1', onread: reads.onread });
  reads.emitFrom(socket);
  const [peer] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => {
    server.close();
    peer.destroy();
    socket.destroy();
  });
  return { reads, socket, peer };
}

it('emits what was read before there is a receiver, and passes on the rest after it', async () => {
  const { reads, socket, peer } = await openConnection();
  const received: string[] = [];
  const waiting = () => socket.readableLength;

  peer.write('first ');
  await expect.poll(waiting).toBe(6);
  reads.passTo((chunk) => {
    received.push(`passed: ${chunk}`);
    return true;
  });
  peer.write('second');
  await expect.poll(waiting).toBe(12);
  socket.on('data', (chunk: Buffer) => received.push(`emitted: ${chunk}`));
  await expect.poll(waiting).toBe(0);
  peer.write('third');
  await expect.poll(() => received.join()).toMatch(/^emitted: first ,?(?:emitted: )?second,passed: third$/);
  const ended = once(socket, 'end');
  peer.end();
  await ended;
});

/** Whether two short chunks are read into the same memory. */
async function readsInPlace({ reads, peer }: ReusedConnection): Promise<boolean> {
  const chunks: Buffer[] = [];
  reads.passTo((chunk) => chunks.push(chunk) > 0);
  for (const count of [1, 2, 3]) {
    peer.write('short');
    await expect.poll(() => chunks.length).toBe(count);
  }
  // The memory of the first one was chosen before there was a receiver.
  const [, second, third] = chunks;
  return second?.buffer === third?.buffer && second?.byteOffset === third?.byteOffset;
}

it('lets a limited number of connections keep memory, and another one as soon as one of them has closed', async () => {
  // Connections that other tests in this process have left count for another module.
  vi.resetModules();
  const first = await openConnection();
  expect(await readsInPlace(first)).toBe(true);
  const others = await Promise.all(Array.from({ length: 20 }, openConnection));
  const inPlace = await Promise.all(others.map(readsInPlace));
  expect(inPlace).toContain(false);
  const closed = once(first.socket, 'close');
  first.peer.destroy();
  await closed;
  expect(await readsInPlace(await openConnection())).toBe(true);
  expect(await readsInPlace(await openConnection())).toBe(false);
});
