import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { Duplex, Writable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { startBackend } from '../../src/backend/backend.ts';
import { parseFault } from '../../src/fault/fault.ts';
import { Metrics } from '../../src/proxy/metrics.ts';
import { decodeSse } from '../../src/wire/sse.ts';
import {
  fastRetries,
  hello,
  listen,
  openWebSocket,
  post,
  proxyTo,
  receiveResponse,
  refusedUpgrade,
  responseEvents,
  sendAll,
  startTestBackend,
} from './setup.ts';

const official = {
  originator: 'codex_exec',
  'x-codex-turn-metadata': '{}',
  'session-id': '01a20000-0000-7000-8000-000000000001',
  'x-codex-routing-hint': 'model=m',
};

const overHttp = () =>
  ({ lane: 'chatgpt', websockets: false, accessToken: 'the-token', accountId: 'the-account' }) as const;

/** Writes until the other side closes. Returns how many bytes it has taken so far. */
function writeEndlessly(socket: Writable): () => number {
  let written = 0;
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const more = () => {
    while (!socket.destroyed) {
      written += chunk.length;
      if (!socket.write(chunk)) return;
    }
  };
  socket.on('error', () => {}).on('drain', more);
  more();
  return () => written;
}

it('reads only the first MiB of a refusal', async () => {
  const written: (() => number)[] = [];
  const server = createServer();
  server.on('upgrade', (_request, socket: Duplex) => {
    socket.write('HTTP/1.1 403 Forbidden\r\n\r\n');
    written.push(writeEndlessly(socket));
  });
  const port = await listen(server);
  const proxy = await proxyTo(new URL(`http://127.0.0.1:${port}/backend-api/codex`));
  expect((await refusedUpgrade(`${proxy}/v1/responses`, official)).status).toBe(403);
  // What the system has buffered counts, too.
  expect(written[0]?.()).toBeLessThan(12 * 1024 * 1024);
});

it('ends a response over HTTP with an event that does not end', async () => {
  const written: (() => number)[] = [];
  const backend = await startTestBackend({
    post: (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: ');
      written.push(writeEndlessly(response));
    },
  });
  const limits = { retries: [0], bodyBytes: 1024 * 1024 };
  const proxy = await proxyTo(backend.url, { limits, signIn: overHttp });
  expect((await post(`${proxy}/v1/responses`, hello)).status).toBe(502);
  expect(written[0]?.()).toBeLessThan(12 * 1024 * 1024);
});

it('ends a whole response whose items do not end', async () => {
  const item = { id: 'i', type: 'message', content: [{ type: 'output_text', text: 'x'.repeat(5000) }] };
  const done = JSON.stringify({ type: 'response.output_item.done', item });
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, Array(30).fill(done)) });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, bodyBytes: 10_000 } });
  const response = await post(`${proxy}/v1/responses`, { ...hello, stream: false });
  expect(await response.json()).toMatchObject({ error: { code: 'response_too_large' } });
});

it('counts at most a hundred labels of a metric, and all others together', () => {
  const metrics = new Metrics();
  for (let n = 0; n < 1000; n += 1) metrics.add('refusals_total', 1, `code=code_${n}`);
  metrics.add('refusals_total', 1, 'code=code_1');
  const lines = metrics.print().match(/^codex_parity.*$/gm) ?? [];
  expect(lines).toHaveLength(101);
  expect(lines).toContain('codex_parity_proxy_refusals_total{code="code_1"} 2');
  expect(lines).toContain('codex_parity_proxy_refusals_total{code="other"} 900');
});

it('ignores offers of other protocols than websocket', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const offer =
    'Host: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n';
  const body = JSON.stringify({ ...hello, stream: false });
  for (const request of [
    `GET /healthz HTTP/1.1\r\n${offer}\r\n`,
    `POST /v1/responses HTTP/1.1\r\n${offer}Content-Length: ${body.length}\r\n\r\n${body}`,
  ]) {
    const socket = connect(Number(new URL(proxy).port), '127.0.0.1');
    socket.write(request);
    const [head] = await once(socket, 'data');
    expect(String(head)).toMatch(/^HTTP\/1.1 200 /);
    socket.destroy();
  }
  await openWebSocket(`${proxy}/v1/responses`);
});

it('sends an event with any line ends as one event of the stream', async () => {
  const first = '{"type":"response.created",\r"a":1,\r\n"b":2,\n"c":3}';
  const injecting = '{"x":1,"type":"response.a\\nevent: b\\rdata: c"}';
  const [, ...others] = responseEvents('OK');
  const backend = await startTestBackend({
    message: (socket) => sendAll(socket, [first, injecting, ...others]),
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  const events = decodeSse(await response.text());
  expect(events.map(({ data }) => JSON.parse(data))).toEqual(
    [first, injecting, ...others].map((event) => JSON.parse(event)),
  );
});

it('passes a text that is not UTF-8 on to an official client, and what follows', async () => {
  const backend = await startBackend({
    script: [{ reply: 'text', text: 'OK' }],
    faults: { wire: [parseFault('invalid-utf8@message:4')] },
  });
  onTestFinished(backend.close);
  const url = new URL('/backend-api/codex', backend.origin);
  const socket = new WebSocket(`${await proxyTo(url)}/v1/responses`, {
    headers: official,
    skipUTF8Validation: true,
  });
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  const received = receiveResponse(socket);
  socket.send(JSON.stringify({ type: 'response.create', ...hello }));
  const types = (await received).map((text) => /^\{"type":"response\.([\w.]+)"/.exec(text)?.[1] ?? text);
  expect(types).toEqual([
    ...['created', 'in_progress', 'output_item.added', '\ufffd\ufffd\ufffd', 'content_part.added'],
    ...['output_text.delta', 'output_text.done', 'content_part.done', 'output_item.done', 'completed'],
  ]);
});

it('does not take events that the backend sends before a request for its response', async () => {
  const backend = await startTestBackend({
    prewarm: (socket) => sendAll(socket, responseEvents('', 'resp_warm')),
    message: (socket) => sendAll(socket, responseEvents('right')),
  });
  backend.sockets.once('headers', () =>
    process.nextTick(() => {
      for (const socket of backend.sockets.clients) sendAll(socket, responseEvents('wrong', 'resp_wrong'));
    }),
  );
  const proxy = await proxyTo(backend.url);
  const response = await post(`${proxy}/v1/responses`, hello);
  const events = await response.text();
  expect(events).toContain('right');
  expect(events).not.toContain('wrong');
  expect(backend.turns()[0]?.previous_response_id).toBe('resp_warm');
});

it.each(['gzip', 'GZIP', 'x-gzip', ' Gzip '])('accepts the content-encoding "%s"', async (encoding) => {
  const backend = await startTestBackend();
  const response = await fetch(`${await proxyTo(backend.url)}/v1/responses`, {
    method: 'POST',
    headers: { 'content-encoding': encoding },
    body: gzipSync(JSON.stringify(hello)),
  });
  expect(response.status).toBe(200);
});

it.each([
  { code: 'websocket_connection_limit_reached', retry: 3600 },
  { code: 'previous_response_not_found', retry: 3600 },
])('reports $code at once if the backend asks for a pause of an hour', async ({ code, retry }) => {
  const error = { type: 'x', code, message: 'm' };
  const frame = JSON.stringify({ type: 'error', status: 400, error, headers: { 'retry-after': retry } });
  const backend = await startTestBackend({ message: (socket) => socket.send(frame) });
  const proxy = await proxyTo(backend.url);
  const response = await post(`${proxy}/v1/responses`, hello);
  expect(response.headers.get('retry-after')).toBe(String(retry));
  const socket = await openWebSocket(`${proxy}/v1/responses`);
  const received = receiveResponse(socket);
  socket.send(JSON.stringify({ type: 'response.create', ...hello }));
  expect((await received).at(-1)).toContain(code);
});
