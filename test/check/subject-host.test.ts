import { expect, it } from 'vitest';
import type { SubjectStart } from '../../src/check/start-subject.ts';
import { configuredSubject } from '../../src/check/subject.ts';
import { SubjectHost } from '../../src/check/subject-host.ts';
import { madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { bundledGoldens } from '../../src/golden/select.ts';

/** Counts POST requests, and returns their number and its own process id for every other. `POST /end` ends it. */
const counter = `
  let posts = 0;
  require('node:http').createServer((request, response) => {
    if (request.url === '/end') process.exit(1);
    if (request.method === 'POST') posts += 1;
    response.end(JSON.stringify({ posts, pid: process.pid }));
  }).listen(Number(process.argv[1]), '127.0.0.1');
`;

function hostOf(fields: object): SubjectHost {
  const command = [process.execPath, '-e', counter, '{port}'];
  const setup = [{ method: 'POST', path: '/' }];
  return new SubjectHost(configuredSubject('mine', { command, setup, ...fields } as never, process.cwd()));
}

const start: SubjectStart = {
  upstream: 'http://127.0.0.1:1/backend-api/codex',
  signIn: {
    signIn: madeUpSignIn({ accountId: 'a', userId: 'u', email: 'e@example.com', plan: 'pro' }),
    byKey: false,
    expired: false,
  },
  clientAuth: '',
  codex: '0.171.0',
  goldens: [bundledGoldens],
  goldensFolder: bundledGoldens,
  timeLimit: 20_000,
  signal: new AbortController().signal,
};

async function state(url: URL): Promise<{ posts: number; pid: number }> {
  return (await fetch(url)).json() as Promise<{ posts: number; pid: number }>;
}

it('starts a subject for each scenario', async () => {
  const host = hostOf({});
  const a = await host.start(start);
  const b = await host.start(start);
  const [first, second] = [await state(a.url), await state(b.url)];
  expect([first.posts, second.posts]).toEqual([1, 1]);
  expect(first.pid).not.toBe(second.pid);
  await Promise.all([a.stop(), b.stop()]);
});

it('starts a subject once, and sets it up again before each scenario', async () => {
  const host = hostOf({ start: 'once' });
  const a = await host.start(start);
  const before = await state(a.url);
  await a.stop();
  const b = await host.start(start);
  expect(await state(b.url)).toEqual({ posts: 2, pid: before.pid });
  await host.close();
  await expect(fetch(b.url)).rejects.toThrow('fetch failed');
});

it('starts a subject again that has ended', async () => {
  const host = hostOf({ start: 'once' });
  const a = await host.start(start);
  const before = await state(a.url);
  await fetch(new URL('/end', a.url), { method: 'POST' }).catch(() => {});
  await expect(a.exited).rejects.toThrow('subject mine ended with exit code 1');
  const b = await host.start(start);
  expect((await state(b.url)).pid).not.toBe(before.pid);
  await host.close();
});
