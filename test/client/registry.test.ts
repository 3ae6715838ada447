import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { firstRegistry, ping } from '../../src/client/install/npm.ts';

const url = new URL('https://registry.example/npm/-/ping');
const registry = setupServer();
beforeAll(() => registry.listen({ onUnhandledFrame: 'error' }));
afterEach(() => registry.resetHandlers());
afterAll(() => registry.close());

const { signal } = new AbortController();

it('reports a registry that responds', async () => {
  registry.use(http.get(url.href, () => HttpResponse.json({})));
  expect(await ping(url, signal)).toEqual({ ok: true, detail: 'responds' });
});

it('reports the status of a registry that refuses', async () => {
  registry.use(http.get(url.href, () => new HttpResponse(null, { status: 503 })));
  expect(await ping(url, signal)).toEqual({ ok: false, detail: 'responds with status 503' });
});

it('reports a registry that cannot be reached', async () => {
  registry.use(http.get(url.href, () => HttpResponse.error()));
  expect(await ping(url, signal)).toEqual({ ok: false, detail: 'cannot be reached' });
});

it('prefers the registry of the scope, and hides credentials', () => {
  const scoped = '@openai:registry=https://me:pass@scope.example/npm/?a=b';
  expect(firstRegistry(`${scoped}\nregistry=https://registry.example/\n`)).toBe('https://scope.example/npm/');
  expect(firstRegistry('@openai:registry=undefined\r\nregistry=https://registry.example/\r\n')).toBe(
    'https://registry.example/',
  );
  expect(firstRegistry('@openai:registry=undefined\nregistry=\n')).toBeUndefined();
});
