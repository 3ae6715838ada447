import { expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import { backendWith } from './backend-client.ts';

it('responds to accounts/check with the account of the request', async () => {
  const { backend } = await backendWith();

  const response = await fetch(`${backend.origin}/backend-api/wham/accounts/check`, {
    headers: { 'chatgpt-account-id': 'account-of-this-run' },
  });

  expect(await response.json()).toMatchObject({
    accounts: [
      {
        id: 'account-of-this-run',
        workspace_backend_origin: 'https://chatgpt.com',
        account_routing_override: 'us',
      },
    ],
    account_ordering: ['account-of-this-run'],
    default_account_id: 'account-of-this-run',
  });
});

it('responds with an empty model list', async () => {
  const { backend } = await backendWith();

  const response = await fetch(`${backend.origin}/backend-api/codex/models?client_version=0.169.0`);

  expect(await response.json()).toEqual({ models: [] });
});

it('finds a route whose path has a double slash', async () => {
  const { backend, events } = await backendWith();

  const response = await fetch(`${backend.origin}/backend-api//connectors/directory/list?tier=categorized`);

  expect(response.status).toBe(200);
  expect(events.map(({ type }) => type)).toEqual(['request']);
});

it('is an MCP server without tools', async () => {
  const { backend } = await backendWith();
  const send = (message: object) =>
    fetch(`${backend.origin}/backend-api/ps/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    });

  const initialised = await send({ id: 0, method: 'initialize', params: { protocolVersion: '2025-03-26' } });
  const notified = await send({ method: 'notifications/initialized' });
  const listed = await send({ id: 1, method: 'tools/list' });
  const unknown = await send({ id: 2, method: 'tools/call' });

  expect(await initialised.json()).toMatchObject({ id: 0, result: { protocolVersion: '2025-03-26' } });
  expect([notified.status, await notified.text()]).toEqual([202, '']);
  expect(await listed.json()).toEqual({ jsonrpc: '2.0', id: 1, result: { tools: [] } });
  expect(await unknown.json()).toMatchObject({ id: 2, error: { code: -32601 } });
});

it('refreshes tokens, with new ones each time that have not expired', async () => {
  const { backend } = await backendWith();
  const refresh = async () => {
    const response = await fetch(`${backend.origin}/oauth/token`, { method: 'POST', body: '{}' });
    const tokens: { access_token: string } = JSON.parse(await response.text());
    return tokens.access_token;
  };

  const [first, second] = [await refresh(), await refresh()];

  expect(first).not.toBe(second);
  const claims: { exp: number } = JSON.parse(
    Buffer.from(first.split('.')[1] ?? '', 'base64url').toString('utf8'),
  );
  expect(claims.exp * 1000).toBeGreaterThan(Date.now());
});

it('responds 404 to a request without a route, and reports it', async () => {
  const { backend, events } = await backendWith();

  const response = await fetch(`${backend.origin}/backend-api/wham/new-in-some-version?x=1`);

  expect([response.status, await response.json()]).toEqual([404, { detail: 'Not Found' }]);
  expect(events).toContainEqual({
    type: 'unrouted',
    method: 'GET',
    target: '/backend-api/wham/new-in-some-version?x=1',
  });
});

it('lists the models that it is told to, and none otherwise', async () => {
  const listed = async (models?: readonly string[]) => {
    const backend = await startBackend({ script: [], ...(models === undefined ? {} : { models }) });
    onTestFinished(backend.close);
    const response = await fetch(`${backend.origin}/backend-api/codex/models?client_version=0.171.0`);
    return response.json();
  };
  expect(await listed()).toEqual({ models: [] });
  expect(await listed(['gpt-6.2-sol', 'gpt-5.4'])).toMatchObject({
    models: [
      { slug: 'gpt-6.2-sol', priority: 0 },
      { slug: 'gpt-5.4', priority: 1 },
    ],
  });
});
