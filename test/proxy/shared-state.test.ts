import { describe, expect, it } from 'vitest';
import { MemoryState } from '../../src/proxy/state/memory-state.ts';
import type { SharedState } from '../../src/proxy/state/shared-state.ts';
import { converse, expectedText, startConversingBackend } from './conversing-backend.ts';
import {
  openWebSocket,
  post,
  proxyTo,
  readEvents,
  receiveResponse,
  type TestBackend,
  user,
} from './setup.ts';

const newMemory = () => new MemoryState({ keys: 1000, length: 1_000_000 });

/** Proxies with one state, in front of a backend. */
async function startProxies(count: number, state: SharedState = newMemory()) {
  const backend = await startConversingBackend();
  const origins: string[] = [];
  for (let index = 0; index < count; index += 1) origins.push(await proxyTo(backend.url, { state }));
  const [a = '', b = '', c = ''] = origins;
  return { backend, a, b, c };
}

/** The ids of the turns to which the requests belong that a backend has received. */
function turnIds(backend: TestBackend): string[] {
  return backend
    .turns()
    .map((sent) => JSON.parse(sent.client_metadata['x-codex-turn-metadata'] ?? '{}').turn_id);
}

type Completed = { readonly id: string; readonly text: string };

/** The id and text of the response in the last of some events. */
function completed(events: readonly string[]): Completed {
  const last = JSON.parse(events.at(-1) ?? '{}');
  expect(last).toMatchObject({ type: 'response.completed' });
  return { id: last.response.id, text: last.response.output[0].content[0].text };
}

async function overHttp(origin: string, body: object, headers = {}): Promise<Completed> {
  const request = { model: 'm', stream: true, ...body };
  return completed(await readEvents(await post(`${origin}/v1/responses`, request, headers)));
}

async function overWebSocket(origin: string, body: object): Promise<Completed> {
  const client = await openWebSocket(`${origin}/v1/responses`);
  const response = receiveResponse(client);
  client.send(JSON.stringify({ type: 'response.create', model: 'm', ...body }));
  const result = completed(await response);
  client.close();
  return result;
}

describe('a conversation that moves between proxies', () => {
  it.each([
    { surface: 'HTTP', turn: overHttp },
    { surface: 'websocket', turn: overWebSocket },
  ])('continues from its last response, with one session: $surface', async ({ turn }) => {
    const { backend, a, b, c } = await startProxies(3);
    await converse(turn, [a, b, a, c, b]);
    expect(new Set(backend.turns().map((sent) => sent.prompt_cache_key)).size).toBe(1);
    expect(backend.notFound()).toBe(0);
  });

  it('continues in a named conversation, and from its items', async () => {
    const { backend, a, b } = await startProxies(2);
    await overHttp(a, { input: 'one ', conversation: 'conv_1' });
    const { text } = await overHttp(b, { input: 'two ', conversation: 'conv_1' });
    expect(text).toBe(expectedText(['one ', 'two ']));
    const referring = {
      prompt_cache_key: 'k',
      input: [user('three '), { type: 'item_reference', id: 'msg_1' }],
    };
    await overHttp(a, { prompt_cache_key: 'k', input: 'zero ' });
    expect((await overHttp(b, referring)).text).toBe('three [zero ]');
    expect(backend.notFound()).toBe(0);
  });

  it('has one session for clients that send the whole conversation', async () => {
    const { backend, a, b } = await startProxies(2);
    const start = [user('hello')];
    await Promise.all([overHttp(a, { input: start }), overHttp(b, { input: start })]);
    await overHttp(b, { input: [...start, user('again')] });
    expect(new Set(backend.turns().map((sent) => sent.prompt_cache_key)).size).toBe(1);
  });

  it('continues a turn with the output of a tool', async () => {
    const { backend, a, b } = await startProxies(2);
    const { id } = await overHttp(a, { input: 'one ' });
    const output = { type: 'function_call_output', call_id: 'c', output: 'done' };
    await overHttp(b, { input: [output], previous_response_id: id });
    const [first, second] = turnIds(backend);
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(second).toBe(first);
  });

  it('keeps a response for a client that did not receive the next one', async () => {
    const { backend, a, b } = await startProxies(2);
    const { id } = await overHttp(a, { input: 'one ' });
    await overHttp(a, { input: 'lost ', previous_response_id: id });
    const { text } = await overHttp(b, { input: 'two ', previous_response_id: id });
    expect(text).toBe(expectedText(['one ', 'two ']));
    expect(backend.notFound()).toBe(0);
  });

  it('is not stored for clients that cannot or do not want to continue from a response', async () => {
    const keys: string[] = [];
    const memory = newMemory();
    const { a } = await startProxies(1, {
      ...stateOf(memory),
      set: (key, ...more) => {
        keys.push(key.replace(/:.*/, ''));
        return memory.set(key, ...more);
      },
    });
    await overHttp(a, { input: 'one ', store: false });
    const chat = { model: 'm', messages: [{ role: 'user', content: 'two ' }], store: true };
    expect((await post(`${a}/v1/chat/completions`, chat)).status).toBe(200);
    expect(keys).toEqual(['session', 'session']);
    // Over a websocket, a request continues from such a response.
    const { id } = await overWebSocket(a, { input: 'three ', store: false });
    await overHttp(a, { input: 'four ', previous_response_id: id, store: false });
    expect(keys.slice(2)).toEqual(['response', 'response']);
  });

  it('is not found by a client with another key', async () => {
    const { backend, a, b } = await startProxies(2);
    const { id } = await overHttp(a, { input: 'one ' }, { authorization: 'Bearer first' });
    const request = { model: 'm', input: 'two ', previous_response_id: id };
    const response = await post(`${b}/v1/responses`, request, { authorization: 'Bearer second' });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('previous_response_not_found');
    expect(backend.notFound()).toBeGreaterThan(0);
  });
});

it('stores a response before the client receives that it is complete', async () => {
  const memory = newMemory();
  const stored: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const { a } = await startProxies(1, {
    ...stateOf(memory),
    set: async (key, text, lifetime) => {
      stored.push(key);
      await promise;
      return memory.set(key, text, lifetime);
    },
  });
  const response = await post(`${a}/v1/responses`, { model: 'm', input: 'one ', stream: true });
  await expect.poll(() => stored.some((key) => key.startsWith('response:'))).toBe(true);
  let isOver = false;
  const events = readEvents(response).finally(() => {
    isOver = true;
  });
  await new Promise((after) => setTimeout(after, 50));
  expect(isOver).toBe(false);
  resolve();
  expect(completed(await events).text).toBe('one ');
});

describe('a state that arrives late', () => {
  const named = { prompt_cache_key: 'k' };
  const output = [{ type: 'function_call_output', call_id: 'c', output: 'done' }];

  /** Two proxies with one state, of which what the second one reads first arrives only when it is released. */
  async function startLateProxies(before?: (text: string) => Promise<void> | void) {
    const backend = await startConversingBackend({ before: (text) => before?.(text) });
    const memory = newMemory();
    const late = Promise.withResolvers<void>();
    let reads = 0;
    let stores = true;
    const state: SharedState = {
      ...stateOf(memory),
      get: async (keys) => {
        reads += 1;
        const isFirst = reads === 1;
        const texts = await memory.get(keys);
        if (isFirst) await late.promise;
        return texts;
      },
      set: async (...entry) => stores && memory.set(...entry),
    };
    const [a, b] = [await proxyTo(backend.url, { state: memory }), await proxyTo(backend.url, { state })];
    const storesNothing = () => {
      stores = false;
    };
    return { backend, a, b, release: late.resolve, reads: () => reads, storesNothing };
  }

  it('does not replace a response that was completed meanwhile', async () => {
    const { backend, a, b, release, reads } = await startLateProxies();
    const conversation = 'conv_1';
    await overHttp(a, { conversation, input: 'one ' });
    const waiting = overHttp(b, { conversation, input: 'three ' });
    await expect.poll(reads).toBe(1);
    await overHttp(b, { conversation, input: 'two ' });
    release();
    expect((await waiting).text).toBe(expectedText(['one ', 'two ', 'three ']));
    expect(backend.notFound()).toBe(0);
  });

  it.each([
    { began: 'after', isLate: true },
    { began: 'before', isLate: false },
  ])('does not replace a running turn that began $began it was read', async ({ isLate }) => {
    const finish = Promise.withResolvers<void>();
    const { backend, a, b, release, reads, storesNothing } = await startLateProxies((text) =>
      text === 'two ' ? finish.promise : undefined,
    );
    await overHttp(a, { ...named, input: 'one ' });
    const continueTurn = () => overHttp(b, { ...named, input: output });
    const late = isLate ? continueTurn() : undefined;
    if (isLate) await expect.poll(reads).toBe(1);
    else release();
    const running = overHttp(b, { ...named, input: 'two ' });
    await expect.poll(() => backend.turns().length).toBe(2);
    storesNothing();
    release();
    await (late ?? continueTurn());
    finish.resolve();
    await running;
    await continueTurn();
    const [first, second, ...others] = turnIds(backend);
    expect(second).not.toBe(first);
    expect(others).toEqual([second, second]);
  });

  it('does not replace a turn that was completed meanwhile', async () => {
    const { backend, a, b, release, reads } = await startLateProxies();
    await overHttp(a, { ...named, input: 'one ' });
    const waiting = overHttp(b, { ...named, input: output });
    await expect.poll(reads).toBe(1);
    await overHttp(b, { ...named, input: 'two ' });
    release();
    await waiting;
    const [first, second, third] = turnIds(backend);
    expect(second).not.toBe(first);
    expect(third).toBe(second);
  });

  it('is that of the response that the client names', async () => {
    const { backend, a, b, release, reads } = await startLateProxies();
    const { id } = await overHttp(a, { ...named, input: 'one ' });
    const waiting = overHttp(b, { ...named, input: output, previous_response_id: id });
    await expect.poll(reads).toBe(1);
    await overHttp(b, { ...named, input: 'two ' });
    release();
    expect((await waiting).text).toBe('one [one ]done');
    const [first, , third] = turnIds(backend);
    expect(third).toBe(first);
    expect(backend.notFound()).toBe(0);
  });
});

/** The methods of a state, to replace some of them. */
function stateOf(state: SharedState): SharedState {
  return {
    get: (keys) => state.get(keys),
    set: (...of) => state.set(...of),
    add: (...of) => state.add(...of),
    expire: (...of) => state.expire(...of),
    close: () => state.close(),
    onReturn: (listener) => state.onReturn(listener),
    name: 'a state',
    isAway: false,
    failures: 0,
  };
}
