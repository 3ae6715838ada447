import { once } from 'node:events';
import { expect, it } from 'vitest';
import { startBackend } from '../../src/backend/server.ts';
import { backendWith, connect } from './conversation.ts';

it('says in one line that its port is in use', async () => {
  const { backend } = await backendWith();

  await expect(startBackend({ port: backend.port, script: [] })).rejects.toMatchObject({
    code: 'port-in-use',
    message: `port ${backend.port} is taken: choose another, or stop what listens there`,
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
