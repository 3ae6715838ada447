import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { bundledGoldens } from '../../src/golden/select.ts';
import { listenLocally } from '../../src/listening.ts';
import { plainScreen } from '../../src/report/first-screen.ts';
import { startReverseTap } from '../../src/tap/reverse.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { Analysis, type AnalysisUpdate } from '../../src/watch/analysis.ts';
import { ByteQueue } from '../../src/watch/byte-queue.ts';
import { explainTrace } from '../../src/watch/explain-trace.ts';
import { GoldenChoice } from '../../src/watch/golden-choice.ts';
import { LiveAnalysis } from '../../src/watch/live-analysis.ts';
import { WatchLines } from '../../src/watch/watch-lines.ts';
import { uuid7 } from '../../src/wire/ids.ts';
import { type UsageReply, usageBackend, usageClient } from './usage-backend.ts';

const goldens = new GoldenChoice([bundledGoldens]);

/** Keeps the events of a session, as a recording does. */
class RecordedAnalysis extends Analysis {
  readonly events: TraceEvent[] = [];

  override add(event: TraceEvent, at?: number): AnalysisUpdate[] {
    this.events.push(event);
    return super.add(event, at);
  }
}

/** A watched relay in front of a port: its own port, its lines, the newest state of each turn, and the events so far. */
async function watched(port: number) {
  const turns = new Map<number, Extract<AnalysisUpdate, { type: 'turn' }>['turn']>();
  const lines: string[] = [];
  const view = new WatchLines(plainScreen);
  const analysis = new RecordedAnalysis(goldens);
  const live = new LiveAnalysis(analysis, (update) => {
    if (update.type === 'turn') turns.set(update.turn.id, update.turn);
    lines.push(...view.linesOf(update));
  });
  const { observe, listen } = new ByteQueue({
    post: (batch) => live.take(batch),
    waiting: new Int32Array(new SharedArrayBuffer(4)),
  });
  const tap = await startReverseTap({ upstream: { host: '127.0.0.1', port }, observe, listen });
  onTestFinished(() => tap.close());
  return { port: tap.port, turns, lines, events: analysis.events };
}

/** A watched backend that passes its responses to the test. */
async function watchedBackend() {
  const responses: ServerResponse[] = [];
  const backend = createServer((request, response) => {
    request.resume().on('end', () => responses.push(response));
  });
  const { port, turns } = await watched(await listenLocally(backend));
  onTestFinished(() => {
    backend.closeAllConnections();
    backend.close();
  });
  const post = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/backend-api/codex/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'session-id': 'a-session' },
      body: JSON.stringify({ model: 'gpt-6.2-sol', input: [], stream: true }),
    });
    return response.text();
  };
  return { responses, turns, post };
}

const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
const created = event({
  type: 'response.created',
  response: { id: 'resp_1', instructions: 'long '.repeat(20_000) },
});
const delta = event({ type: 'response.output_text.delta', delta: 'word' });
const completed = event({ type: 'response.completed', response: { id: 'resp_1' } });

it('knows the time to the first token of an event stream while it goes on', async () => {
  const { responses, turns, post } = await watchedBackend();
  const posted = post();
  await expect.poll(() => responses.length).toBe(1);
  const [response] = responses;
  response?.writeHead(200, { 'content-type': 'text/event-stream' }).write(created);
  await expect.poll(() => turns.size).toBe(1);
  expect(turns.get(1)?.firstToken).toBeUndefined();
  // Split within the event.
  response?.write(delta.slice(0, 20));
  response?.write(delta.slice(20));
  await expect.poll(() => turns.get(1)?.firstToken).toBeGreaterThan(0);
  const firstToken = turns.get(1)?.firstToken;
  expect(turns.get(1)?.ending).toEqual({ type: 'running' });
  response?.end(delta + completed);
  await posted;
  await expect.poll(() => turns.get(1)?.ending).toEqual({ type: 'completed' });
  expect(turns.get(1)?.firstToken).toBe(firstToken);
  expect(turns.get(1)?.duration).toBeGreaterThan(firstToken ?? Number.NaN);
});

it('gives no time where a stream is compressed or has no delta', async () => {
  const { responses, turns, post } = await watchedBackend();
  const posted = [post(), post()];
  await expect.poll(() => responses.length).toBe(2);
  const head = { 'content-type': 'text/event-stream' };
  responses[0]?.writeHead(200, { ...head, 'content-encoding': 'identity' }).end(created + completed);
  responses[1]?.writeHead(200, { ...head, 'content-encoding': 'unknown' }).end(created + delta + completed);
  await Promise.all(posted);
  await expect
    .poll(() => [...turns.values()].filter(({ duration }) => duration !== undefined).length)
    .toBe(2);
  for (const turn of turns.values()) expect(turn.firstToken).toBeUndefined();
});

/** A proxy that calls `serve` for each websocket of a client. Returns its port. */
async function webSocketProxy(serve: (client: WebSocket, headers: IncomingHttpHeaders) => void) {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (client, { headers }) => serve(client, headers));
  onTestFinished(() => {
    for (const client of sockets.clients) client.terminate();
    server.close();
  });
  return listenLocally(server);
}

/** A websocket upstream with the headers of a client, once it is open. */
async function upstreamOf(port: number, headers: IncomingHttpHeaders): Promise<WebSocket> {
  const own = Object.entries(headers).filter(
    ([name]) => !/^(?:host|connection|upgrade|sec-websocket-.*)$/.test(name),
  );
  const upstream = new WebSocket(`ws://127.0.0.1:${port}/backend-api/codex/responses`, {
    headers: Object.fromEntries(own),
  });
  onTestFinished(() => upstream.terminate());
  await once(upstream, 'open');
  return upstream;
}

describe('a proxy that mixes two sessions', () => {
  const hit = { input: 18_000, cached: 17_200 };
  function* always(): Generator<UsageReply> {
    while (true) yield hit;
  }

  /** Plays a turn of two sessions through the port, one after the other. */
  async function twoSessions(port: number): Promise<readonly string[]> {
    const ids: string[] = [];
    for (let number = 0; number < 2; number += 1) {
      const id = uuid7();
      const client = await usageClient(`http://127.0.0.1:${port}/backend-api/codex`, {}, id);
      onTestFinished(client.close);
      await client.turn({ client_metadata: { session_id: id } });
      ids.push(id);
    }
    return ids;
  }

  it('is recognised by a request under the id of another session', async () => {
    const view = await watched(await usageBackend(always()));
    let upstream: Promise<WebSocket> | undefined;
    let last: WebSocket | undefined;
    const proxy = await webSocketProxy((client, headers) => {
      upstream ??= upstreamOf(view.port, headers).then((opened) =>
        opened.on('message', (data) => last?.send(String(data))),
      );
      const opened = upstream;
      client.on('message', async (data) => {
        last = client;
        (await opened).send(String(data));
      });
    });
    const [first] = await twoSessions(proxy);
    const wrong = '  a request of it has the id of another session in its body: two sessions are mixed up ✗';
    await expect.poll(() => view.lines).toContain(wrong);
    const golden = '    session/header-inconsistent  session_id is not the same everywhere';
    await expect.poll(() => view.lines).toContain(golden);
    expect(view.lines.join('\n')).toContain('cache key ≠ session ✗');
    expect(view.lines[0]).toBe(`session 1 · my_client · ${first}`);
    const { lines } = explainTrace(view.events, goldens, plainScreen);
    for (const line of [wrong, golden]) expect(lines.join('\n')).toContain(line);
  });

  it('is recognised by a response that another session got', async () => {
    const backend = await usageBackend(always());
    const events: string[] = [];
    let isFirst = true;
    const proxy = await webSocketProxy((client, headers) => {
      const isOwn = isFirst;
      isFirst = false;
      client.on('message', async (data) => {
        if (!isOwn) {
          for (const event of events) client.send(event);
          return;
        }
        const upstream = await upstreamOf(backend, headers);
        upstream.on('message', (event) => {
          events.push(String(event));
          client.send(String(event));
        });
        upstream.send(String(data));
      });
    });
    const view = await watched(proxy);
    await twoSessions(view.port);
    const wrong = '  it got a response that session 1 got before: two sessions are mixed up ✗';
    await expect.poll(() => view.lines).toContain(wrong);
    const { lines } = explainTrace(view.events, goldens, plainScreen);
    expect(lines).toContain(wrong);
  });
});
