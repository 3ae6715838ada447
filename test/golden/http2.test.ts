import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { requestOperators } from '../../scripts/mutations/request-operators.ts';
import { isAt } from '../../scripts/mutations/sites.ts';
import { codeOf } from '../../src/diff/cause-code.ts';
import { drift } from '../../src/diff/drift.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import { printGolden, readGolden, writeGolden } from '../../src/golden/file.ts';
import { generalise } from '../../src/golden/learn/generalise.ts';
import { bundledGoldens } from '../../src/golden/select.ts';
import { type Exchange, exchangesOf } from '../../src/golden/trace/exchanges.ts';
import type { HeaderField, TraceEvent } from '../../src/trace/trace-event.ts';
import { jsonString } from '../../src/wire/json.ts';
import { committedGolden } from './committed-goldens.ts';
import { fillGolden } from './fill-golden.ts';

const committed = committedGolden(join(bundledGoldens, '0.171.0', 'chatgpt', 'http-fallback.golden.jsonl'));

/** What the official client sends over HTTP/2 instead (measured: codex 0.171.0, scenario http2-fallback). */
const http2 = {
  settings: [
    ['ENABLE_PUSH', 0],
    ['INITIAL_WINDOW_SIZE', 2_097_152],
    ['MAX_FRAME_SIZE', 16_384],
    ['MAX_HEADER_LIST_SIZE', 16_384],
  ],
  window: 5_177_345,
  pseudo: [':method', ':scheme', ':authority', ':path'],
} as const;

function overHttp2(exchange: Exchange): Exchange {
  const { connection, request, steps } = exchange;
  if (request.method !== 'POST') return exchange;
  const tls = { offered: ['h2', 'http/1.1'], chosen: 'h2' };
  return {
    ...exchange,
    connection: { ...connection, tls },
    request: {
      ...request,
      version: '2',
      http2: { ...http2, authority: jsonString(connection.authority) },
      headers: request.headers.filter(([name]) => name !== 'host'),
    },
    steps: steps.map((step) => {
      if (step.type === 'response') return { ...step, version: '2' };
      return step.type === 'body' && step.from === 'client' ? { ...step, largestFrame: 16_384 } : step;
    }),
  };
}

const official = (run: number) => fillGolden(committed, run);
const overH2 = (run: number) => official(run).map(overHttp2);
const { codex, lane, scenario } = committed;
const learned = generalise({ codex, lane, scenario }, [overH2(1), overH2(2), overH2(3)]);
const folder = mkdtempSync(join(tmpdir(), 'codex-parity-test-'));
afterAll(() => rmSync(folder, { recursive: true }));
/** As it is read again from its file. */
const golden = readGolden(writeGolden(folder, learned).path);
const codes = (sent: readonly Exchange[], from = golden) => parityFindings(from, sent).map(codeOf);

it('learns what the client chooses over HTTP/2, on any host', () => {
  const [, post] = golden.exchanges;
  expect(post?.request).toMatchObject({
    version: '2',
    http2: { ...http2, authority: { value: '{{authority}}' } },
  });
  expect(printGolden(golden)).toBe(printGolden(learned));
  expect(codes(overH2(4))).toEqual([]);
});

it('learns a split into frames only if all runs show it, and nothing of the trailers of a backend', () => {
  const trailed = (exchange: Exchange): Exchange => ({
    ...exchange,
    steps: exchange.steps.map((step) => {
      if (step.type !== 'body') return step;
      if (step.from === 'backend') return { ...step, trailers: [['a', jsonString('b')]] };
      const { largestFrame, ...body } = step;
      return body;
    }),
  });
  const mixed = generalise({ codex, lane, scenario }, [overH2(1), overH2(2).map(trailed)]);
  expect(printGolden(mixed)).not.toMatch(/largestFrame|trailers/);
});

it('finds every choice that differs, with one finding at its place', () => {
  const [upgrade, post] = overH2(5);
  const [, other] = overH2(6);
  if (upgrade === undefined || post === undefined || other === undefined) throw new RangeError('no exchange');
  const operators = requestOperators(post, other).filter(({ area }) => area === 'HTTP/2');
  expect(operators).toHaveLength(8);
  for (const { name, mutants } of operators) {
    expect(mutants.length, name).toBeGreaterThan(0);
    for (const { places, mutate } of mutants) {
      const findings = parityFindings(golden, [upgrade, mutate()]);
      expect(findings, name).toHaveLength(1);
      const named = findings.flatMap((finding) => finding.places);
      expect(places.some(({ part, names }) => named.some((place) => isAt(place, part, names)))).toBe(true);
    }
  }
  const all = operators.flatMap(({ mutants }) => mutants.flatMap(({ mutate }) => codes([upgrade, mutate()])));
  expect([...new Set(all)]).toEqual([
    'wire/http2-settings',
    'wire/http2-window',
    'wire/http2-pseudo-headers',
    'wire/http2-priority',
    'transport/header-changed',
    'wire/http2-frames',
    'wire/http2-trailers',
    'transport/alpn',
  ]);
});

it('does not blame a client for the version that the server chose', () => {
  const chosen = ({ connection, ...exchange }: Exchange): Exchange => {
    const { tls } = connection;
    return {
      ...exchange,
      connection: { ...connection, ...(tls && { tls: { ...tls, chosen: 'http/1.1' } }) },
    };
  };
  expect(codes(official(7).map(chosen))).toEqual([]);
  expect(codes(overH2(8), committed)).toEqual([]);
});

it('compares Host as strictly as over HTTP/1.1 where a golden has :authority', () => {
  const [upgrade, post] = official(7);
  if (upgrade === undefined || post === undefined) throw new RangeError('no exchange');
  const plain = { ...post.connection, tls: null };
  const { headers } = post.request;
  const host = headers.findIndex(([name]) => name === 'host');
  const sent = (changed: readonly HeaderField[]): Exchange[] => [
    upgrade,
    { ...post, connection: plain, request: { ...post.request, headers: changed } },
  ];
  const field = (name: string, value: string): HeaderField => [name, jsonString(value)];
  const { authority } = post.connection;
  expect(codes(sent(headers))).toEqual([]);
  expect(codes(sent(headers.toSpliced(host, 1)))).toEqual(['transport/header-missing']);
  expect(codes(sent(headers.with(host, field('host', 'example.com'))))).toEqual(['transport/header-changed']);
  expect(codes(sent(headers.with(host, field('Host', authority))))).toEqual(['shape/header-case']);
  expect(codes(sent(headers.toSpliced(host, 0, field('host', authority))))).toEqual([
    'transport/header-added',
  ]);
  expect(codes(sent([field('host', authority), ...headers.toSpliced(host, 1)]))).toEqual([
    'shape/header-order',
  ]);
});

it('finds another version where both connect without TLS, so that the client alone chooses', () => {
  const plain = (exchange: Exchange): Exchange => ({
    ...exchange,
    connection: { ...exchange.connection, tls: null },
  });
  const onPlain = generalise({ codex, lane, scenario }, [official(1).map(plain), official(2).map(plain)]);
  expect(codes(overH2(9).map(plain), onPlain)).toEqual(['transport/http-version']);
});

it('shows in a drift that another version chooses differently', () => {
  const next = {
    ...golden,
    exchanges: golden.exchanges.map((exchange) => {
      const { request } = exchange;
      if (request.http2 === undefined) return exchange;
      return { ...exchange, request: { ...request, http2: { ...request.http2, window: 1 } } };
    }),
  };
  expect(drift([golden], [golden])).toEqual([]);
  // Headers are those of the same version of HTTP: Host did not go.
  const recorded = committedGolden(join(bundledGoldens, codex, lane, 'http2-fallback.golden.jsonl'));
  expect(drift([committed], [{ ...recorded, scenario }])).toMatchObject([
    { group: 'transport', path: ['HTTP/2'] },
  ]);
  expect(drift([golden], [next])).toMatchObject([{ group: 'transport', path: ['HTTP/2'] }]);
});

it('takes a reset for the end of the exchange alone, and the end of a connection for that of all its exchanges', () => {
  const target = jsonString('/backend-api/codex/responses');
  const post = (exchange: number): TraceEvent => ({
    ...{ type: 'request', connection: 1, exchange, method: 'POST', target, version: '2', headers: [] },
    http2,
  });
  const cut = (exchange: number): TraceEvent[] => [
    { type: 'response', exchange, version: '2', status: 200, headers: [] },
    {
      ...{ type: 'body', exchange, from: 'backend', complete: false },
      content: { kind: 'text', text: jsonString('begun') },
    },
  ];
  const connection: TraceEvent = { type: 'connection', connection: 1, authority: 'a', tls: null };
  const reset: TraceEvent = { type: 'reset', exchange: 1, from: 'backend', code: 'INTERNAL_ERROR' };
  const end: TraceEvent = { type: 'end', connection: 1, by: 'client' };
  const events = [connection, post(1), ...cut(1), reset, post(2), post(3), ...cut(2), ...cut(3), end];
  expect(exchangesOf(events).map(({ cutBy }) => cutBy)).toEqual(['backend', 'client', 'client']);
  expect(exchangesOf(events).map(({ end: by }) => by)).toEqual(['backend', undefined, undefined]);
});
