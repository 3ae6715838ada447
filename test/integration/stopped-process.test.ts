import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import type { WebSocket } from 'ws';
import {
  fastRetries,
  hello,
  openWebSocket,
  post,
  receiveResponse,
  refusedWith,
  responseEvents,
  sendAll,
  sse,
  startTestBackend,
  tunnelled,
} from '../proxy/setup.ts';
import { startProxyApart } from './proxy-process.ts';

/** The limits in milliseconds, and how long the process is stopped. */
const limit = 2000;
const stopped = 3500;

const limits = {
  ...fastRetries,
  connectTime: limit,
  firstByte: limit,
  idle: limit,
  sessionIdle: limit,
  keepAlive: limit,
  ping: 250,
};

/** Who asks, by the session that the request names. */
const sessions = {
  firstByte: 'websocket-before-the-first-event',
  idle: 'websocket-within-a-response',
  upgrade: 'upgrade',
  postFirstByte: 'post-before-the-head',
  postIdle: 'post-within-a-response',
};
const tunnel = '01a20000-0000-7000-8000-000000000001';
const relay = '01a20000-0000-7000-8000-000000000002';

it('counts no time in which its process was stopped, and reads what came meanwhile', async () => {
  /** Sends what the backend still owes. */
  const owed = new Map<string, () => void>();
  const [created = '', ...rest] = responseEvents('OK');
  const backend = await startTestBackend({
    upgrade: (_count, { headers }) => {
      const session = String(headers['session-id']);
      if (session === sessions.postFirstByte || session === sessions.postIdle)
        return refusedWith('426 Upgrade Required');
      if (session !== sessions.upgrade || owed.has(session)) return undefined;
      return new Promise((resolve) => owed.set(session, () => resolve(undefined)));
    },
    message: (socket: WebSocket, { prompt_cache_key: session }) => {
      if (session === sessions.upgrade || owed.has(session)) return sendAll(socket, [created, ...rest]);
      if (session !== sessions.firstByte) socket.send(created);
      owed.set(session, () => sendAll(socket, session === sessions.firstByte ? [created, ...rest] : rest));
    },
    post: (response: ServerResponse, body) => {
      const { prompt_cache_key: session }: { prompt_cache_key: string } = JSON.parse(body);
      const begin = () =>
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(sse(created));
      const end = () => response.end(rest.map(sse).join(''));
      if (session === sessions.postIdle) begin();
      owed.set(session, () => {
        if (session === sessions.postFirstByte) begin();
        end();
      });
    },
  });
  const proxy = await startProxyApart(backend.url, limits);
  const official = async (session: string, headers: Record<string, string>) => {
    const client = await openWebSocket(`${proxy.url.origin}/v1/responses`, {
      ...headers,
      'session-id': session,
      'thread-id': session,
      'x-client-request-id': session,
    });
    const response = receiveResponse(client);
    client.send(
      JSON.stringify({ type: 'response.create', model: 'm', input: [], prompt_cache_key: session }),
    );
    return response;
  };
  const { version: _version, ...older } = tunnelled;
  const responses = [
    ...Object.values(sessions).map(async (session) => {
      const response = await post(`${proxy.url.origin}/v1/responses`, {
        ...hello,
        prompt_cache_key: session,
      });
      return response.text();
    }),
    official(tunnel, tunnelled),
    official(relay, older),
  ];
  const kept = connect(Number(proxy.url.port), '127.0.0.1');
  onTestFinished(() => void kept.destroy());
  const request = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n';
  kept.write(request);
  await once(kept, 'data');

  await expect.poll(() => owed.size).toBe(responses.length);
  // Longer than the time between two pings: to the proxy, the clients are idle.
  await delay(600);
  const suspended = proxy.suspend(stopped);
  await delay(200);
  kept.write(request);
  for (const send of owed.values()) send();
  const keptAnswer = Promise.race([once(kept, 'data'), once(kept, 'close')]);
  await suspended;

  expect(String((await keptAnswer)[0])).toContain('200 OK');
  for (const text of await Promise.all(responses)) expect(String(text)).toContain('response.completed');
  const ids = backend.turns().map(({ prompt_cache_key }) => prompt_cache_key);
  expect(ids.toSorted()).toEqual([...owed.keys()].toSorted());
  expect(backend.received.filter(({ transport }) => transport === 'http')).toHaveLength(2);
});
