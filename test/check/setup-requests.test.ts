import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { setUp } from '../../src/check/setup-requests.ts';
import { configuredSubject, type Placeholders } from '../../src/check/subject.ts';
import type { SubjectConfig } from '../../src/config/subject-config.ts';
import { temporaryFolder } from '../e2e/cli.ts';

type Received = {
  readonly line: string;
  readonly cookie: string;
  readonly type: string;
  readonly body: string;
};

/** Sends the requests of a setup to a server. Its first response sets cookies; `/no` is refused. */
async function setUpWith(setup: unknown): Promise<readonly Received[]> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const body = (await buffer(request)).toString();
    const { cookie = '', 'content-type': type = '' } = request.headers;
    received.push({ line: `${request.method} ${request.url}`, cookie, type, body });
    const status = request.url === '/no' ? 403 : 200;
    if (received.length === 1) response.setHeader('set-cookie', ['a=1; Path=/; HttpOnly', 'b=2']);
    response.writeHead(status).end(status === 403 ? 'sign\n in first' : 'ok');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' ? String(address?.port) : '';
  const config = { command: ['x'], setup } as SubjectConfig;
  const subject = configuredSubject('mine', config, '.');
  const auth = join(temporaryFolder(), 'auth.json');
  writeFileSync(auth, '{"made": "up"}');
  const values = { port, auth, token: 'the-"token"', account: 'an-account' } as unknown as Placeholders;
  await setUp(subject, values, { timeLimit: 5000, signal: new AbortController().signal });
  return received;
}

it('sends JSON, forms with files, and the cookies of the responses before', async () => {
  const received = await setUpWith([
    { method: 'POST', path: '/login', json: { password: 'x', tokens: ['{token}'], n: 1 } },
    { method: 'PUT', path: '/accounts/{account}', form: { file: '@{auth}', name: '{account}' } },
    { method: 'DELETE', path: '/old' },
  ]);
  expect(received.map(({ line, cookie }) => [line, cookie])).toEqual([
    ['POST /login', ''],
    ['PUT /accounts/an-account', 'a=1; b=2'],
    ['DELETE /old', 'a=1; b=2'],
  ]);
  expect(received[0]?.type).toBe('application/json');
  expect(JSON.parse(received[0]?.body ?? '')).toEqual({ password: 'x', tokens: ['the-"token"'], n: 1 });
  expect(received[1]?.type).toMatch(/^multipart\/form-data; boundary=/);
  expect(received[1]?.body).toMatch(
    /name="file"; filename="auth\.json"[\s\S]*\{"made": "up"\}[\s\S]*name="name"\r\n\r\nan-account/,
  );
});

it('reports a refusal with its text', async () => {
  await expect(setUpWith([{ method: 'POST', path: '/no' }])).rejects.toThrow(
    'subject mine answers POST /no of its setup with 403: sign in first',
  );
});

it('reports a file that is missing', async () => {
  await expect(setUpWith([{ method: 'POST', path: '/', form: { file: '@/no/file' } }])).rejects.toThrow(
    'cannot read /no/file for the setup of a subject: no such file or folder',
  );
});
