import { once } from 'node:events';
import { connect as connectTcp, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import { backendOf, backendWith, connect, prewarm, turn } from './backend-client.ts';

it('refuses upgrades with the statuses of the script, in order', async () => {
  const { backend } = await backendOf({ script: [], faults: { upgrades: [401, 500] } });

  await expect(connect(backend)).rejects.toThrow('401');
  expect(backend.deviations()).toEqual(['1 of 2 upgrades not refused']);
  await expect(connect(backend)).rejects.toThrow('500');
  expect(backend.deviations()).toEqual([]);
  await expect(connect(backend)).resolves.toBeDefined();
});

it('survives a client that resets its connection while its upgrade is refused', async () => {
  const socket = new Socket();
  const backend = await startBackend({ script: [], onEvent: () => socket.resetAndDestroy() });
  onTestFinished(() => backend.close());
  socket.connect(backend.port, '127.0.0.1');

  socket.write('GET /elsewhere HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await once(socket, 'close');
  await delay(50);

  await expect(connect(backend)).resolves.toBeDefined();
});

it('ends a connection after a refused upgrade, even when the client keeps its side open', async () => {
  const { backend } = await backendOf({ script: [], faults: { upgrades: [426] } });
  const socket = connectTcp({ port: backend.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.write('GET /v1/responses HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  socket.resume();
  await once(socket, 'end');

  await backend.close();

  socket.destroy();
});

it('sends no response to as many prewarms as the script says', async () => {
  const { backend } = await backendOf({
    script: [{ reply: 'text', text: 'OK' }],
    faults: { stalledPrewarms: 1 },
  });
  const stalled = await connect(backend);

  stalled.send(prewarm);
  expect(await Promise.race([stalled.received(1), delay(50, 'nothing')])).toBe('nothing');

  const served = await connect(backend);
  expect((await served.request(prewarm)).map(({ type }) => type)).toContain('response.completed');
  expect(await served.request(turn)).toContainEqual(expect.objectContaining({ delta: 'OK' }));
  expect(backend.deviations()).toEqual([]);
});

it('refuses one token refresh, with the code of the script', async () => {
  const { backend } = await backendOf({ script: [], faults: { refresh: 'refresh_token_reused' } });
  const refresh = () => fetch(`${backend.origin}/oauth/token`, { method: 'POST', body: '{}' });
  expect(backend.deviations()).toEqual(['token refresh not refused']);

  const refused = await refresh();

  expect(refused.status).toBe(401);
  expect(await refused.json()).toMatchObject({ error: { code: 'refresh_token_reused' } });
  expect(backend.deviations()).toEqual([]);
  expect((await refresh()).status).toBe(200);
});

it('reports how a run deviated from the script', async () => {
  const { backend } = await backendOf({
    script: [{ reply: 'text', text: 'OK' }],
    faults: { stalledPrewarms: 2 },
  });

  expect(backend.deviations()).toEqual(['0 of 1 replies used', '2 of 2 prewarms not stalled']);
});

it('counts the requests without a reply', async () => {
  const { backend } = await backendWith();
  const { request } = await connect(backend);

  await request(turn);
  await request(turn);

  expect(backend.deviations()).toEqual(['missing replies: 2']);
});
