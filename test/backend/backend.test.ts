import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { expect, it } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import { backendWith, connect } from './backend-client.ts';

it('reports in one line that its port is in use', async () => {
  const { backend } = await backendWith();

  await expect(startBackend({ port: backend.port, script: [] })).rejects.toMatchObject({
    code: 'port-in-use',
    message: `port ${backend.port} is in use: choose another one, or stop the program that uses it`,
  });
});

it('ends open websockets when it is closed', async () => {
  const { backend } = await backendWith();
  const { socket } = await connect(backend);
  const closed = once(socket, 'close');

  await backend.close();

  expect(await closed).toEqual([1006, expect.anything()]);
  await expect(fetch(backend.origin)).rejects.toThrow();
});

it('survives clients that reset their connection after a refused upgrade', async () => {
  const backend = await startBackend({ script: [], faults: { upgrades: Array(40).fill(401) } });
  for (let client = 0; client < 40; client += 1) {
    const socket = connectTcp(backend.port, '127.0.0.1');
    socket.write(
      'GET /v1/responses HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    const [head] = await once(socket, 'data');
    expect(String(head)).toMatch(/^HTTP\/1\.1 401 /);
    socket.resetAndDestroy();
  }
  await backend.close();
});
