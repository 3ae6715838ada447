import { connect, createServer, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ParityError } from '../../src/errors.ts';
import { listenLocally } from '../../src/listening.ts';
import { MemoryState } from '../../src/proxy/state/memory-state.ts';
import { openRedisState } from '../../src/proxy/state/redis-state.ts';
import { sharedInstallation } from '../../src/proxy/state/shared-installation.ts';
import type { SharedState } from '../../src/proxy/state/shared-state.ts';
import { takeLock } from '../../src/proxy/state/state-lock.ts';
import { startConversingBackend } from './conversing-backend.ts';
import { freePort, hasRedis, startRedis } from './redis.ts';
import { metric, post, proxyTo, readEvents, recordLogs } from './setup.ts';

const minute = 60_000;

async function stateIn(url: URL, log = recordLogs().log): Promise<SharedState> {
  const state = await openRedisState(url, log);
  onTestFinished(() => state.close());
  return state;
}

const kinds = [
  { kind: 'memory', isInstalled: true, open: async () => new MemoryState({ keys: 100, length: 1000 }) },
  { kind: 'Redis', isInstalled: hasRedis, open: async () => stateIn((await startRedis()).url) },
];

describe.each(kinds)('shared state in $kind', ({ isInstalled, open }) => {
  it.runIf(isInstalled)('has what was stored, until it is removed or its time is over', async () => {
    const state = await open();
    expect(await state.get([])).toEqual([]);
    expect(await state.set('a', 'text of a', minute)).toBe(true);
    expect(await state.set('b', 'é\u2028', minute)).toBe(true);
    expect(await state.get(['b', 'missing', 'a'])).toEqual(['é\u2028', undefined, 'text of a']);
    await state.set('a', 'another', minute);
    expect(await state.get(['a'])).toEqual(['another']);
    await state.expire('a', 0);
    await state.set('b', 'short', 1);
    await expect.poll(() => state.get(['a', 'b'])).toEqual([undefined, undefined]);
    expect(state).toMatchObject({ isAway: false, failures: 0 });
  });

  it.runIf(isInstalled)('lets one of several add a key', async () => {
    const state = await open();
    const results = await Promise.all(['a', 'b', 'c'].map((text) => state.add('key', text, minute)));
    expect(results.sort()).toEqual(['added', 'exists', 'exists']);
    const [owner = ''] = await state.get(['key']);
    await state.expire('key', 0, 'of another owner');
    expect(await state.get(['key'])).toEqual([owner]);
    await state.expire('key', 0, owner);
    expect(await state.add('key', 'd', minute)).toBe('added');
  });

  it.runIf(isInstalled)('gives all proxies one installation id', async () => {
    const state = await open();
    const ids = await Promise.all([1, 2, 3].map(() => sharedInstallation(state)));
    expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(ids).size).toBe(1);
  });
});

const lockOptions = (held: number) => ({
  patience: { held, away: 0 },
  isDone: async () => false,
  deadTime: 2000,
});

it.runIf(hasRedis)('keeps a lock in a Redis that is full and removes what expires first', async () => {
  const redis = await startRedis();
  await redis.stop();
  await redis.start('--maxmemory', '6mb', '--maxmemory-policy', 'volatile-ttl');
  const state = await stateIn(redis.url);
  const lock = await takeLock(state, 'renewal:of a sign-in', lockOptions(0));
  onTestFinished(async () => void (typeof lock === 'object' && (await lock.release())));
  const text = 'x'.repeat(4096);
  for (let turn = 0; turn < 100; turn += 1) {
    const keys = Array.from({ length: 100 }, (_, index) => `response:${turn} ${index}`);
    await Promise.all(keys.map((key) => state.set(key, text, minute)));
  }
  expect(await state.get(['response:0 0'])).toEqual([undefined]);
  expect(await takeLock(state, 'renewal:of a sign-in', lockOptions(0))).toBe('held');
  expect(state).toMatchObject({ failures: 0 });
});

const turn = async (origin: string, body: object) => {
  const events = await readEvents(
    await post(`${origin}/v1/responses`, { model: 'm', stream: true, ...body }),
  );
  return JSON.parse(events.at(-1) ?? '{}');
};

it.runIf(hasRedis)('refuses a database that Redis does not have', async () => {
  const { url } = await startRedis();
  url.pathname = '/99';
  await expect(stateIn(url)).rejects.toThrow(
    new ParityError('usage', `Redis at ${url.host} has no database 99: choose another one in --state`),
  );
});

describe.runIf(hasRedis)('Redis that is away', () => {
  it('does not stop the proxy, which says so, and shares what was done when it is back', async () => {
    const redis = await startRedis();
    const { promise: finish, resolve } = Promise.withResolvers<void>();
    const backend = await startConversingBackend({
      before: (text) => (text === 'one ' ? finish : undefined),
    });
    const { log, lines } = recordLogs();
    const a = await proxyTo(backend.url, { state: await stateIn(redis.url, log), log });
    const b = await proxyTo(backend.url, { state: await stateIn(redis.url) });
    const health = async (origin: string) => (await fetch(`${origin}/healthz`)).json();
    expect(await health(a)).toEqual({ status: 'ok', state: 'ok' });

    const running = turn(a, { input: 'one ' });
    await expect.poll(() => backend.turns().length).toBe(1);
    await redis.stop();
    resolve();
    const first = await running;
    expect(first.type).toBe('response.completed');
    const second = await turn(a, { input: 'two ', previous_response_id: first.response.id });
    expect(second.type).toBe('response.completed');
    expect(await health(a)).toEqual({ status: 'ok', state: 'away' });
    expect(await metric(a, 'state_away')).toBe(1);
    expect(await metric(a, 'state_failures_total')).toBeGreaterThan(0);
    expect(lines.filter((line) => line.includes('is away'))).toEqual([
      expect.stringMatching(/Redis at 127\.0\.0\.1:\d+ is away \(.+\): the proxy goes on/),
    ]);

    await redis.start();
    await expect.poll(() => health(a)).toEqual({ status: 'ok', state: 'ok' });
    await expect.poll(() => health(b)).toEqual({ status: 'ok', state: 'ok' });
    expect(lines.at(-1)).toMatch(/Redis at \S+ is back$/);
    const third = await turn(b, { input: 'three ', previous_response_id: second.response.id });
    expect(third.response?.output[0].content[0].text).toBe('one [one ]two [one [one ]two ]three ');
    expect(backend.notFound()).toBe(0);
  });

  it('is waited for if a request needs it', async () => {
    const redis = await startRedis();
    const backend = await startConversingBackend();
    const a = await proxyTo(backend.url, { state: await stateIn(redis.url) });
    const b = await proxyTo(backend.url, { state: await stateIn(redis.url) });
    const first = await turn(a, { input: 'one ' });
    await redis.stop();
    await expect.poll(() => metric(b, 'state_away')).toBe(1);
    const second = turn(b, { input: 'two ', previous_response_id: first.response.id });
    await redis.start();
    expect((await second).type).toBe('response.completed');
    expect(backend.notFound()).toBe(0);
  });
});

const others = [
  { other: 'has fewer databases', options: ['--databases', '1'], reason: 'ERR DB index' },
  { other: 'wants a password', options: ['--requirepass', 'secret'], reason: 'NOAUTH' },
  { other: 'is a replica', options: ['--replicaof', '127.0.0.1', '1'], reason: 'READONLY' },
  { other: 'is full', options: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'], reason: 'OOM' },
  {
    other: 'may not be read',
    options: ['--user', 'default', 'on', 'nopass', '~*', '+@all', '-mget'],
    reason: 'NOPERM',
  },
  {
    other: 'may not select a database',
    options: ['--user', 'default', 'on', 'nopass', '~*', '+@all', '-select'],
    reason: 'NOPERM',
  },
];

describe.runIf(hasRedis).each(others)('Redis that $other', ({ options, reason }) => {
  const isAway = expect.stringMatching(new RegExp(`is away \\(.*${reason}.*\\): the proxy goes on`));

  it('is away at the start, or refused', async () => {
    const redis = await startRedis();
    await redis.stop();
    await redis.start(...options);
    const { log, lines } = recordLogs();
    redis.url.pathname = '/3';
    const opened = await stateIn(redis.url, log).catch((error: ParityError) => error);
    if (opened instanceof ParityError) expect(opened.message).toContain('has no database 3');
    else {
      expect(opened.isAway).toBe(true);
      expect(lines).toEqual([isAway]);
    }
  });

  it('is away after a restart, until it is again as it was', async () => {
    const redis = await startRedis();
    redis.url.pathname = '/3';
    const { log, lines } = recordLogs();
    const state = await stateIn(redis.url, log);
    await state.set('a', 'before', minute);
    await redis.stop();
    await expect.poll(() => state.isAway).toBe(true);
    await redis.start(...options);
    await expect.poll(() => lines).toContainEqual(isAway);
    expect(await state.set('a', 'after', minute)).toBe(false);
    await redis.stop();
    await redis.start();
    await expect.poll(() => state.isAway).toBe(false);
    expect(lines).toEqual([expect.stringContaining('is away'), isAway, expect.stringMatching(/ is back$/)]);
    expect(await state.get(['a'])).toEqual(['before']);
    redis.url.pathname = '/0';
    expect(await (await stateIn(redis.url)).get(['a'])).toEqual([undefined]);
  });
});

it.runIf(hasRedis)('follows the name of Redis to another server when one no longer stores', async () => {
  const first = await startRedis();
  const second = await startRedis();
  let { port } = first.url;
  const connections: Socket[] = [];
  const balancer = createServer((socket) => {
    const server = connect(Number(port), '127.0.0.1');
    for (const each of [socket, server]) connections.push(each.on('error', () => {}));
    socket.pipe(server).pipe(socket);
  });
  onTestFinished(() => {
    for (const each of connections) each.destroy();
    balancer.close();
  });
  const state = await stateIn(new URL(`redis://127.0.0.1:${await listenLocally(balancer)}`));
  expect(await state.set('a', 'of the first', minute)).toBe(true);
  port = second.url.port;
  const administrator = new Redis(first.url.href);
  onTestFinished(() => administrator.disconnect());
  await administrator.replicaof('127.0.0.1', 1);
  expect(await state.set('a', 'of nobody', minute)).toBe(false);
  await expect.poll(() => state.isAway).toBe(false);
  expect(await state.set('a', 'of the second', minute)).toBe(true);
  expect(await (await stateIn(second.url)).get(['a'])).toEqual(['of the second']);
});

it.runIf(hasRedis)(
  'takes a cluster, which cannot read several keys at once, for a Redis that is away',
  async () => {
    const redis = await startRedis();
    await redis.stop();
    await redis.start('--cluster-enabled', 'yes');
    const administrator = new Redis(redis.url.href);
    onTestFinished(() => administrator.disconnect());
    await administrator.cluster('ADDSLOTSRANGE', 0, 16_383);
    await expect.poll(() => administrator.cluster('INFO')).toContain('cluster_state:ok');
    const { log, lines } = recordLogs();
    expect((await stateIn(redis.url, log)).isAway).toBe(true);
    expect(lines).toEqual([expect.stringMatching(/is away \(.*CROSSSLOT/)]);
  },
);

it('starts when Redis is away', async () => {
  const { log, lines } = recordLogs();
  const state = await stateIn(new URL(`redis://127.0.0.1:${await freePort()}`), log);
  expect(state.isAway).toBe(true);
  expect(await state.get(['a'])).toEqual([undefined]);
  expect(await state.set('a', 'b', minute)).toBe(false);
  expect(await state.add('a', 'b', minute)).toBe('away');
  expect(lines).toEqual([expect.stringContaining('ECONNREFUSED')]);
});

it('takes a Redis that does not respond for one that is away', async () => {
  const silent = createServer((socket) => socket.on('error', () => {}).resume());
  const port = await listenLocally(silent);
  onTestFinished(() => void silent.close());
  const { log, lines } = recordLogs();
  const state = await stateIn(new URL(`redis://127.0.0.1:${port}`), log);
  expect(await state.set('a', 'b', minute)).toBe(false);
  expect(lines).toEqual([expect.stringContaining('is away')]);
});
