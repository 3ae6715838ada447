import { zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { backendWith, turn } from './backend-client.ts';

const path = '/backend-api/codex/responses';

it('responds to a POST with one server-sent event for each event of the response', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK' });

  const response = await fetch(backend.origin + path, { method: 'POST', body: JSON.stringify(turn) });

  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const events = (await response.text()).trimEnd().split('\n\n');
  expect(events).toHaveLength(9);
  for (const event of events) {
    const { name, data } = /^event: (?<name>.*)\ndata: (?<data>.*)$/.exec(event)?.groups ?? {};
    expect(JSON.parse(data ?? 'null')).toMatchObject({ type: name });
  }
  expect(events.at(-1)).toMatch(/^event: response\.completed\n/);
});

it('reads a body in zstd', async () => {
  const { backend, events } = await backendWith({ reply: 'text', text: 'OK' });
  const body = JSON.stringify({ model: 'gpt-test', input: [] });

  const response = await fetch(backend.origin + path, {
    method: 'POST',
    headers: { 'content-encoding': 'zstd' },
    body: zstdCompressSync(body),
  });

  expect(response.status).toBe(200);
  expect(events).toContainEqual({ type: 'create', transport: 'http', body, prewarm: false });
});

it('refuses a body that does not match its content-encoding', async () => {
  const { backend, events } = await backendWith({ reply: 'text', text: 'OK' });

  const response = await fetch(backend.origin + path, {
    method: 'POST',
    headers: { 'content-encoding': 'zstd' },
    body: JSON.stringify(turn),
  });

  expect(response.status).toBe(400);
  expect(backend.used()).toBe(0);
  expect(events).toContainEqual({
    type: 'not-understood',
    transport: 'http',
    reason: 'a body that is not zstd',
  });
});

it('responds 400 when the script is exhausted', async () => {
  const { backend, events } = await backendWith({ reply: 'text', text: 'OK' });
  const post = () => fetch(`${backend.origin}/v1/responses`, { method: 'POST', body: JSON.stringify(turn) });

  expect((await post()).status).toBe(200);
  const second = await post();

  expect(second.status).toBe(400);
  expect(await second.json()).toMatchObject({ error: { code: 'script_exhausted' } });
  expect(events).toContainEqual({ type: 'script-exhausted', scripted: 1 });
});
