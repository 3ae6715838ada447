import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { post } from '../proxy/setup.ts';
import { type UsageReply, usageBackend, usageClient } from '../watch/usage-backend.ts';
import { startBrowser, whyNoBrowser } from './browser.ts';
import { cli, repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

type Running = {
  readonly url: string;
  readonly page: string;
  readonly child: ChildProcess;
  /** The lines on standard output so far. */
  readonly lines: () => string[];
  readonly ended: ReturnType<typeof cli>;
};

/** Starts a command that has a live page, and stops it after the test. */
async function running(args: readonly string[], options: Parameters<typeof cli>[1] = {}): Promise<Running> {
  const { promise, resolve } = Promise.withResolvers<{ child: ChildProcess; url: string; page: string }>();
  let [stdout, stderr] = ['', ''];
  const ended = cli(args, {
    ...options,
    onStdout: (text) => {
      stdout += text;
    },
    onStderr: (text, child) => {
      stderr += text;
      const [, url] = /listening on (\S+)/.exec(stderr) ?? [];
      const [, page] = /live page (\S+)/.exec(stderr) ?? [];
      if (url !== undefined && page !== undefined) resolve({ child, url, page });
    },
  });
  const failed = ended.then((result) => Promise.reject(new Error(result.stderr)));
  const started = await Promise.race([promise, failed]);
  failed.catch(() => {});
  onTestFinished(async () => {
    started.child.kill('SIGTERM');
    await ended;
  });
  return { ...started, ended, lines: () => stdout.split('\n').filter((line) => line !== '') };
}

function watching(port: number, ...args: string[]): Promise<Running> {
  const upstream = `http://127.0.0.1:${port}/backend-api/codex`;
  return running(['watch', '--listen', '0', '--page', '0', '--upstream', upstream, ...args]);
}

const hit: UsageReply = { input: 18_000, cached: 17_200 };
const miss: UsageReply = { input: 18_000, cached: 0 };

function* always(...replies: readonly UsageReply[]): Generator<UsageReply> {
  yield* replies;
  while (true) yield hit;
}

it('prints a line for each turn, and ends with exit code 0', async () => {
  const watch = await watching(await usageBackend(always(hit, hit, miss, 'close')));
  const client = await usageClient(watch.url);
  await client.turn();
  await client.turn();
  await client.turn({ prompt_cache_key: 'mine' });
  await client.turn();
  const turns = () => watch.lines().filter((line) => line.startsWith('turn '));
  await expect.poll(() => turns().length).toBe(4);
  const time = / · first token \d+ ms$/;
  expect(turns().map((line) => line.replace(time, ' · first token'))).toEqual([
    'turn 1 · priority ✓ hint ✓ · cache key = session ✓ · cached 17.2k of 18.0k · first token',
    'turn 2 · priority ✓ hint ✓ · cache key = session ✓ · chained ✓ · cached 17.2k of 18.0k ✓ · first token',
    'turn 3 · priority ✓ hint ✓ · cache key ≠ session ✗ · chained ✓ · cached 0 of 18.0k: other cache key ✗ · first token',
    'turn 4 · priority ✓ hint ✓ · cache key = session ✓ · chained ✓ · the backend ended the connection with close 1011 ✗',
  ]);
  expect(watch.lines()[0]).toBe(`session 1 · my_client · ${client.session}`);
  watch.child.kill('SIGINT');
  expect((await watch.ended).exitCode).toBe(0);
});

it('serves the page to this machine and to its own pages only', async () => {
  const { page } = await watching(await usageBackend(always()));
  const status = async (headers: Record<string, string>, path = '', method = 'GET') => {
    // fetch does not set Host.
    const { request } = await import('node:http');
    return new Promise<number | undefined>((resolve, reject) => {
      request(new URL(path, page), { headers, method }, (response) => {
        response.destroy();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
  };
  const own = new URL(page).host;
  for (const path of ['', 'events', 'turns/1']) {
    expect(await status({ host: 'rebound.example' }, path)).toBe(403);
    expect(await status({ origin: 'https://elsewhere.example' }, path)).toBe(403);
    expect(await status({ 'sec-fetch-site': 'cross-site' }, path)).toBe(403);
    expect(await status({}, path, 'POST')).toBe(405);
  }
  expect(await status({ host: own, origin: `http://${own}`, 'sec-fetch-site': 'same-origin' })).toBe(200);
  expect(await status({}, 'turns/99')).toBe(404);
  expect(await status({}, 'other')).toBe(404);
});

it.each<[string, readonly string[], RegExp]>([
  [
    'a wrong upstream',
    ['--upstream', 'chatgpt.com', '--page', '0'],
    /--upstream "chatgpt.com" is not an http or https URL/,
  ],
  [
    'an upstream that is itself',
    ['--listen', '9000', '--upstream', 'http://127.0.0.1:9000/v1'],
    /--upstream is the port of --listen: name the backend, or a proxy/,
  ],
  ['an unknown golden', ['--golden', '0.171.0/nothing', '--page', '0'], /no golden for scenario "nothing"/],
  ['a port that is none', ['--page', '70000'], /--page "70000" must be a whole number from 0 to 65535/],
])('reports %s in one line', async (_, args, expected) => {
  const { stderr, exitCode } = await runInProcess(['watch', ...args]);
  expect(stderr).toMatch(expected);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(exitCode).toBe(2);
});

it('shows what the bundled proxy sends upstream with --watch', async () => {
  const folder = temporaryFolder();
  const account = { accountId: 'acct-1', userId: 'user-1', email: 'a@example.com', plan: 'pro' } as const;
  writeFileSync(join(folder, 'auth.json'), authJson(madeUpSignIn(account)));
  const port = await usageBackend(always());
  const proxy = await running(
    [
      ...['proxy', '--watch', '--port', '0', '--page', '0', '--auth', 'auth.json', '--codex', '0.171.0'],
      ...['--upstream', `http://127.0.0.1:${port}/backend-api/codex`, '--log-level', 'silent'],
    ],
    { cwd: folder },
  );
  const body = { model: 'gpt-6.2-sol', input: 'hello', stream: true, service_tier: 'fast' };
  await (await post(`${proxy.url}/responses`, body)).text();
  await expect
    .poll(() => proxy.lines().join('\n'))
    .toMatch(/\nturn 1 · priority ✓ hint ✓ · cache key = session ✓ · prewarmed ✓ · cached 17\.2k of 18\.0k/);
});

it('does what docs/watch.md shows', async () => {
  const document = readFileSync(join(repository, 'docs', 'watch.md'), 'utf8');
  const [, block = '', shown = ''] =
    /```sh\n(codex-parity backend[^`]*)```[^`]*`watch`[^`]*```\n([^`]*)```/.exec(document) ?? [];
  const commands = block
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^codex-parity | &$/g, '').split(' '));
  const [backend = [], watch = [], replay = []] = commands;
  expect([backend[0], watch[0], replay[0]]).toEqual(['backend', 'watch', 'replay']);
  const ready = Promise.withResolvers<ChildProcess>();
  void cli(backend, {
    onStderr: (text, child) => {
      if (text.includes('listening on')) ready.resolve(child);
    },
  });
  const simulated = await ready.promise;
  onTestFinished(() => void simulated.kill('SIGTERM'));
  const { lines } = await running(watch);
  const played = await cli(replay, { cwd: temporaryFolder() });
  expect(played.exitCode, played.stderr).toBe(0);
  const plain = (line: string) => line.replaceAll(/[0-9a-f-]{36}|\d+ ms/g, '…');
  const expected = shown.trimEnd().split('\n').map(plain);
  await expect.poll(() => lines().map(plain)).toEqual(expected);
});

describe.skipIf(whyNoBrowser !== undefined)('the page in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser?.close());

  /** Opens the page, and collects what goes wrong in it. */
  async function opened(url: string) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    onTestFinished(() => page.close());
    const problems: string[] = [];
    const received: string[] = [];
    page.on('console', (message) => problems.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('data:'))
        problems.push(`request: ${request.url()}`);
    });
    page.on('response', async (response) => {
      if (response.url().includes('/turns/')) received.push(await response.text());
    });
    await page.goto(url);
    return { page, problems, received };
  }
  const chips = (page: Page, turn: number) =>
    page
      .locator('.turns tr', { has: page.getByRole('link', { name: `turn ${turn}`, exact: true }) })
      .locator('.chip')
      .allTextContents();

  it('shows sessions and turns as they happen, and answers what people ask', async () => {
    const watch = await watching(await usageBackend(always(hit, miss)));
    const { page, problems } = await opened(watch.page);
    await expect.poll(() => page.locator('.headline').textContent()).toBe('Waiting for the first request');
    const client = await usageClient(watch.url);
    await client.turn();
    await expect.poll(() => chips(page, 1)).toContain('priority ✓');
    await expect
      .poll(() => page.locator('.answer b').allTextContents())
      .toEqual(['yes', '96% of the input', 'yes']);
    await expect
      .poll(() => page.locator('.golden').textContent())
      .toContain('beside the golden 0.171.0/fast ✗');
    await expect.poll(() => page.locator('.session-causes li').count()).toBeGreaterThan(3);
    await client.turn({ instructions: 'It is ten.' });
    await expect
      .poll(() => chips(page, 2))
      .toEqual([
        'priority ✓',
        'hint ✓',
        'cache key = session ✓',
        'chained ✓',
        'cached 0 of 18.0k: instructions changed ✗',
      ]);
    await expect
      .poll(() => page.locator('.answer.wrong dt').allTextContents())
      .toEqual(['Does the prompt cache hit?']);
    await expect.poll(() => page.title()).toBe('1 ✗ · watch · codex-parity');
    await expect.poll(() => page.locator('.turn-chart g.miss').count()).toBe(1);
    client.close();
    await expect
      .poll(() => page.locator('.session-note').allTextContents())
      .toEqual([expect.stringMatching(/^the client ended the connection/)]);
    watch.child.kill('SIGTERM');
    await expect.poll(() => page.getByRole('status').textContent()).toBe('not connected');
    expect(problems.filter((one) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED/.test(one))).toEqual([]);
  });

  it('shows a turn beside the turn before, with reasons, frames and without secrets', async () => {
    const watch = await watching(await usageBackend(always()));
    const { page, problems, received } = await opened(watch.page);
    const client = await usageClient(watch.url);
    await client.turn();
    // It ends with no digit of the id beside it: marks leave out a common end.
    await client.turn({ prompt_cache_key: 'other' });
    await page.getByRole('link', { name: 'turn 2', exact: true }).click();
    await expect
      .poll(() => page.locator('.turn-verdicts .wrong').first().textContent())
      .toMatch(/^cache key ≠ session.*Send one id as session-id and as prompt_cache_key\.$/);
    // What it has beside the golden, and the first turn has not, is shown at once.
    const tab = () => page.locator('[role=tab][aria-selected=true]').textContent();
    await expect.poll(tab).toContain('golden');
    await expect
      .poll(() => page.locator('.findings li').allTextContents())
      .toEqual([expect.stringContaining('prompt_cache_key')]);
    await page.keyboard.press('1');
    const changed = page.locator('.row.line.changed', { hasText: 'prompt_cache_key' });
    await expect.poll(() => changed.locator('mark').allTextContents()).toContain('other');
    await page.keyboard.press('3');
    await expect.poll(() => page.locator('.party').allTextContents()).toEqual(['client', 'backend']);
    await expect.poll(() => page.locator('.row.moment .label').first().textContent()).toBe('response.create');
    await page.getByRole('link', { name: 'previous turn' }).click();
    await expect.poll(() => page.locator('h1').textContent()).toBe('turn 1');
    // The first turn is compared with the golden, and shows the values of its variables.
    await expect.poll(tab).toContain('golden');
    await expect
      .poll(() => page.locator('.variables button', { hasText: 'session_id' }).first().textContent())
      .toContain(client.session);
    await expect.poll(() => page.locator('.findings li').count()).toBeGreaterThan(3);
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.answers').count()).toBe(1);
    await page.locator('.session-causes summary').click();
    await expect.poll(() => page.getByRole('link', { name: 'from turn 2 on' }).count()).toBe(1);
    await expect.poll(() => received.length).toBeGreaterThan(1);
    const all = `${received.join('\n')}\n${watch.lines().join('\n')}\n${await page.content()}`;
    expect(all).toContain('<<secret account_id 1>>');
    for (const secret of [
      'acct-secret-of-the-user',
      'secret-token-of-the-user',
      'secret prompt',
      'secret work',
    ])
      expect(all).not.toContain(secret);
    expect(problems).toEqual([]);
  });

  it('shows what clients send as text', async () => {
    const watch = await watching(await usageBackend(always()));
    const { page, problems } = await opened(watch.page);
    const hostile = '<img src=x onerror=alert(1)>';
    const client = await usageClient(watch.url, { originator: hostile });
    await client.turn({ model: `${hostile}\u202e` });
    await expect.poll(() => page.locator('.session h2').textContent()).toBe(`Session 1 · ${hostile}`);
    await expect.poll(() => page.locator('.turns th .quiet').textContent()).toBe(`${hostile}\\u202e`);
    expect(await page.locator('img').count()).toBe(0);
    expect(problems).toEqual([]);
  });
});
