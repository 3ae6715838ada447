import { createServer, type ServerResponse } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { bundledGoldens } from '../../src/golden/select.ts';
import { listenLocally } from '../../src/listening.ts';
import { startReverseTap } from '../../src/tap/reverse.ts';
import { Analysis, type AnalysisUpdate } from '../../src/watch/analysis.ts';
import { ByteQueue } from '../../src/watch/byte-queue.ts';
import { GoldenChoice } from '../../src/watch/golden-choice.ts';
import { LiveAnalysis } from '../../src/watch/live-analysis.ts';

/** A watched relay in front of a backend that passes its responses to the test, and the newest state of each turn. */
async function watchedBackend() {
  const responses: ServerResponse[] = [];
  const backend = createServer((request, response) => {
    request.resume().on('end', () => responses.push(response));
  });
  const turns = new Map<number, Extract<AnalysisUpdate, { type: 'turn' }>['turn']>();
  const live = new LiveAnalysis(new Analysis(new GoldenChoice([bundledGoldens])), (update) => {
    if (update.type === 'turn') turns.set(update.turn.id, update.turn);
  });
  const queue = new ByteQueue({
    post: (batch) => live.take(batch),
    waiting: new Int32Array(new SharedArrayBuffer(4)),
  });
  const port = await listenLocally(backend);
  const { observe, listen } = queue;
  const tap = await startReverseTap({ upstream: { host: '127.0.0.1', port }, observe, listen });
  onTestFinished(async () => {
    await tap.close();
    backend.closeAllConnections();
    backend.close();
  });
  const post = async () => {
    const response = await fetch(`http://127.0.0.1:${tap.port}/backend-api/codex/responses`, {
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
