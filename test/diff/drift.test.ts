import { join } from 'node:path';
import { expect, it } from 'vitest';
import { drift as changesOf } from '../../src/diff/drift.ts';
import { listGoldens } from '../../src/golden/file.ts';
import type { Golden } from '../../src/golden/golden.ts';
import { changeWords } from '../../src/report/drift.ts';
import type { HeaderField } from '../../src/trace/trace-event.ts';
import { jsonString } from '../../src/wire/json.ts';
import { committedGolden } from '../golden/committed-goldens.ts';

const folder = join(import.meta.dirname, '..', '..', 'traces');
const scenarios = ['default', 'fast', 'tool-turn'];
const goldensOf = (version: string) =>
  Promise.all(
    listGoldens(folder)
      .filter(
        ({ codex, lane, scenario }) =>
          codex === version && lane === 'chatgpt' && scenarios.includes(scenario),
      )
      .map(({ path }) => committedGolden(path)),
  );
const [old, young] = [await goldensOf('0.118.0'), await goldensOf('0.169.0')];
const drift = (before: readonly Golden[], after: readonly Golden[]) =>
  changesOf(before, after).map(changeWords);
const changes = drift(old, young);
const at = (group: string, place: string) =>
  changes.filter((one) => one.group === group && one.place === place);

it('finds no change between a version and itself', () => {
  expect(young.length).toBeGreaterThan(1);
  expect(drift(young, young)).toEqual([]);
});

it('names the lane of a change unless it is chatgpt', () => {
  const inLane = (golden: (typeof old)[number]) => ({ ...golden, lane: 'api-key' });
  const [change] = drift(
    [old[0]].flatMap((one) => (one === undefined ? [] : [inLane(one)])),
    young.map(inLane),
  );
  expect(change?.scenarios).toEqual(['default (api-key)']);
});

it('reports another number of requests', () => {
  const twice = young.map((golden) => ({ ...golden, exchanges: [...golden.exchanges, ...golden.exchanges] }));
  expect(drift(young, twice)).toEqual([
    {
      group: 'retry behaviour',
      kind: 'changed',
      place: 'requests',
      before: '"GET"',
      after: '"GET GET"',
      scenarios,
    },
  ]);
});

it('reports a renamed header', () => {
  expect(at('handshake', 'session_id').map(({ kind, before, after }) => [kind, before, after])).toEqual([
    ['renamed', 'session_id', 'session-id'],
  ]);
});

it('reports a new field once, although the header and every message have it', () => {
  expect(at('turn metadata', 'context_window_id')).toEqual([
    {
      group: 'turn metadata',
      kind: 'added',
      place: 'context_window_id',
      before: null,
      after: '"<uuid7>"',
      scenarios: ['default', 'fast', 'tool-turn'],
    },
  ]);
});

it('names the scenarios that show a change', () => {
  expect(at('body', 'service_tier').map(({ kind, scenarios }) => [kind, scenarios])).toEqual([
    ['moved', ['fast']],
  ]);
});

it('reports removed names in the other direction', () => {
  const back = drift(young, old);
  expect(back.find(({ place }) => place === 'x-codex-routing-hint')?.kind).toBe('removed');
});

it('ignores the version number', () => {
  expect(at('handshake', 'version')).toEqual([]);
});

it('reports that a prompt changed, not each hash', () => {
  expect(
    changes.filter(({ group }) => group === 'prompts').map(({ kind, place }) => `${kind} ${place}`),
  ).toContain('removed instructions');
});

it('reports a tool with another description as changed, not as removed and added', async () => {
  const tools = drift(await goldensOf('0.130.0'), await goldensOf('0.133.0'))
    .filter(({ place }) => place === 'tools[view_image]')
    .map(({ kind, before, after }) => [kind, typeof before, typeof after]);
  expect(tools).toEqual([['changed', 'string', 'string']]);
});

it('reports another request path and another ALPN offer', () => {
  const moved = young.map((golden) => ({
    ...golden,
    exchanges: golden.exchanges.map((exchange) => ({
      ...exchange,
      connection: { ...exchange.connection, tls: { offered: ['h3'], chosen: null } },
      request: { ...exchange.request, target: jsonString('/v2/responses') },
    })),
  }));
  const found = drift(young, moved);
  expect(found.map(({ group, place, after }) => [group, place, after])).toEqual([
    ['transport', 'request line', '"GET \\"/v2/responses\\""'],
    ['transport', 'TLS', '"TLS, ALPN h3"'],
  ]);
});

it('shows each name that moved between names that did not', () => {
  const swapped = (names: readonly string[]) =>
    old.map((golden) => ({
      ...golden,
      exchanges: golden.exchanges.map(({ request, ...exchange }) => ({
        ...exchange,
        request: { ...request, headers: names.map((name): HeaderField => [name, jsonString(name)]) },
      })),
    }));
  const found = drift(swapped(['a', 'b', 'c', 'd', 'e', 'f']), swapped(['a', 'd', 'e', 'f', 'b', 'c']));
  expect(found.map(({ place, before, after }) => [place, before, after])).toEqual([
    ['b', 'a, b, f', 'a, f, b'],
    ['c', 'a, c, f', 'a, f, c'],
  ]);
});

it('reports unordered headers and connections that end earlier', () => {
  const changed = young.map((golden) => ({
    ...golden,
    exchanges: golden.exchanges.map((exchange) => ({
      ...exchange,
      request: {
        ...exchange.request,
        unordered: true as const,
        headers: exchange.request.headers.toReversed(),
      },
      end: 'client' as const,
    })),
  }));
  expect(drift(young, changed).map(({ group, place, after }) => [group, place, after])).toEqual([
    ['transport', 'order of headers', '"any"'],
    ['retry behaviour', 'end of the connection', '"before, by the client"'],
  ]);
});
