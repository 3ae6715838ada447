import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { listenLocally } from '../../../src/listening.ts';
import { ReusedReads } from '../../../src/proxy/http/upstream/reused-reads.ts';

it('emits what was read before there is a receiver, and passes on the rest after it', async () => {
  const server = createServer();
  const port = await listenLocally(server);
  onTestFinished(() => void server.close());
  const reads = new ReusedReads();
  const socket = connect({ port, host: '127.0.0.1', onread: reads.onread });
  reads.emitFrom(socket);
  const [peer] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => void peer.destroy());
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
