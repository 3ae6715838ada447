import { expect, it } from 'vitest';
import { headerValue } from '../../src/wire/headers.ts';
import {
  hinted,
  hostileResponse,
  official,
  sendHostileTexts,
  session,
  statusLines,
  texts,
} from './hostile-inputs.ts';
import {
  fastRetries,
  openWebSocket,
  post,
  proxyTo,
  responseEvents,
  sendAll,
  startTestBackend,
} from './setup.ts';

// An exception that nobody handles fails the test run, as it would end the process. A connection that was abandoned fails
// when its time is up, so that is short.
const limits = { ...fastRetries, connectTime: 400, firstByte: 400 };

const isAlive = async (proxy: string) => (await fetch(`${proxy}/healthz`)).status === 200;

/** Waits for what an abandoned connection would do. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 2 * limits.connectTime));

it('survives hostile texts of a client at every place', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { limits });
  await sendHostileTexts(proxy);
  await settle();
  expect(await isAlive(proxy)).toBe(true);
});

it('escapes turn metadata in a header as the official client does', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const sent = { model: 'm', input: 'hello', reasoning: { effort: '中文' } };
  // The prewarm's handshake repeats the effort.
  await (await post(`${proxy}/v1/responses`, sent)).text();
  const metadata = headerValue(backend.received[0]?.headers ?? [], 'x-codex-turn-metadata') ?? '';
  expect(metadata).toContain('\\u4e2d\\u6587');
  expect(JSON.parse(metadata)).toMatchObject({ reasoning_effort: '中文' });
});

it('survives hostile texts in a sign-in', async () => {
  const backend = await startTestBackend();
  const proxies: string[] = [];
  for (const text of texts) {
    for (const websockets of [true, false]) {
      const signIn = () => ({ lane: 'chatgpt', websockets, accessToken: text, accountId: text }) as const;
      const proxy = await proxyTo(backend.url, { limits, signIn });
      proxies.push(proxy);
      await post(`${proxy}/v1/responses`, { model: 'm', input: 'x' });
      await post(`${proxy}/v1/responses`, { model: 'm', input: 'x' }, official);
      await post(`${proxy}/backend-api/wham/usage`, 'x');
    }
  }
  await settle();
  for (const proxy of proxies) expect(await isAlive(proxy)).toBe(true);
});

it.each(['trailer', 'transfer-encoding', 'content-length', 'connection', 'x y', 'retry-after', '__proto__'])(
  'survives an error frame of the backend with header %s',
  async (name) => {
    let frame = '';
    const backend = await startTestBackend({ message: (socket) => socket.send(frame) });
    const proxy = await proxyTo(backend.url, { limits });
    for (const value of [...texts, 'chunked', '5', -1, {}]) {
      frame = JSON.stringify({
        type: 'error',
        status: 400,
        error: { code: 'x', message: 'y' },
        headers: { [name]: value },
      });
      const response = await post(`${proxy}/v1/responses`, { model: 'm', input: 'x', stream: true });
      expect(response.status).toBe(400);
      expect(await isAlive(proxy)).toBe(true);
    }
  },
);

it('passes on only those headers of an error frame that mean something to a client', async () => {
  const headers = { 'retry-after': 7, 'X-Codex-Plan': 'pro', server: 'x', 'set-cookie': 'a=b', trailer: 'c' };
  const frame = JSON.stringify({ type: 'error', status: 400, error: { code: 'x', message: 'y' }, headers });
  const backend = await startTestBackend({ message: (socket) => socket.send(frame) });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, { model: 'm', input: 'x' });
  expect(response.headers.get('retry-after')).toBe('7');
  expect(response.headers.get('x-codex-plan')).toBe('pro');
  expect(response.statusText).toBe('Bad Request');
  for (const name of ['server', 'set-cookie', 'trailer']) expect(response.headers.get(name)).toBeNull();
});

it('survives hostile status lines of the backend', async () => {
  const proxies: string[] = [];
  const ending = async (sent: Promise<Response>) =>
    (await sent.catch(() => undefined))?.text().catch(() => '');
  for (const line of statusLines) {
    const raw = hostileResponse(line);
    const backend = await startTestBackend({
      upgrade: () => raw,
      post: (response) => response.socket?.end(raw, 'latin1'),
    });
    const proxy = await proxyTo(backend.url, { limits });
    proxies.push(proxy);
    await ending(post(`${proxy}/v1/responses`, { model: 'm', input: 'x' }));
    await ending(post(`${proxy}/v1/responses`, { model: 'm', input: 'x' }, official));
    await ending(post(`${proxy}/backend-api/wham/usage`, 'x'));
    await openWebSocket(`${proxy}/v1/responses`, hinted).catch(() => {});
  }
  await settle();
  for (const proxy of proxies) expect(await isAlive(proxy)).toBe(true);
});

it.each(texts)('survives the turn state %j of the backend', async (state) => {
  let turns = 0;
  const backend = await startTestBackend({
    message: (socket) => {
      turns += 1;
      const metadata = { type: 'response.metadata', headers: { 'x-codex-turn-state': state } };
      sendAll(socket, [JSON.stringify(metadata), ...(turns === 1 ? responseEvents('OK') : [])]);
      if (turns > 1) socket.terminate();
    },
  });
  const proxy = await proxyTo(backend.url, { limits });
  const output = { type: 'function_call_output', call_id: 'c', output: 'x' };
  for (const input of ['x', [output], [output]]) {
    await post(`${proxy}/v1/responses`, { model: 'm', input, prompt_cache_key: session });
  }
  expect(await isAlive(proxy)).toBe(true);
});
