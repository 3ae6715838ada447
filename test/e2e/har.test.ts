import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import { startBrowser, whyNoBrowser } from './browser.ts';
import { cli, repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const recorded = join(repository, 'test', 'record', 'mitmproxy-websocket.har');

describe.skipIf(whyNoBrowser !== undefined)('in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser.close());

  it('opens an exported HAR in the network panel, with its websocket messages', async () => {
    const file = join(temporaryFolder(), 'fast.har');
    expect(await runInProcess(['export', '0.171.0/fast', '--out', file])).toMatchObject({ exitCode: 0 });
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    await page.goto('devtools://devtools/bundled/devtools_app.html?panel=network');
    await page.locator('input[type=file]').setInputFiles(file);
    await page.locator('td.name-column', { hasText: 'responses' }).click();
    await page.getByRole('tab', { name: 'Messages' }).click();
    const messages = page.locator('td.data-column');
    await expect.poll(() => messages.count()).toBe(13);
    const texts = await messages.allInnerTexts();
    expect(texts[0]).toMatch(/^\{"type":"response\.create","model":"gpt-6\.2-sol"/);
    expect(texts[12]).toMatch(/^\{"type":"response\.completed"/);
    await page.getByRole('tab', { name: 'Headers' }).click();
    await page.getByText('x-codex-routing-hint').waitFor();
    await page.getByText('model=gpt-6.2-sol;tier=priority').waitFor();
  });

  it('makes a trace of what Chromium recorded', async () => {
    const backend = await startBackend({ script: [{ reply: 'text', text: 'OK' }], repeats: true });
    onTestFinished(() => backend.close());
    const folder = temporaryFolder();
    const [file, out] = [join(folder, 'page.har'), join(folder, 'page.trace.jsonl')];
    const context = await browser.newContext({ recordHar: { path: file } });
    const page = await context.newPage();
    await page.goto(`${backend.origin}/backend-api/codex/models`);
    await page.evaluate(
      async (url) => {
        const socket = new WebSocket(url);
        await new Promise((opened) => socket.addEventListener('open', opened));
        socket.send('{"type":"response.create","model":"gpt-5","input":[]}');
        await new Promise<void>((completed) =>
          socket.addEventListener('message', ({ data }) => {
            if (String(data).includes('"response.completed"')) completed();
          }),
        );
      },
      `${backend.origin.replace('http', 'ws')}/v1/responses`,
    );
    await context.close();
    const { stderr } = await runInProcess(['import', file, '--out', out]);
    expect(stderr).toMatch(/^order and capitalisation of headers are not known: Playwright does not keep/);
    const { stdout } = await runInProcess(['show', out]);
    expect(stdout).toContain(
      'exchange 1: client message 1\n  {"type":"response.create","model":"gpt-5","input":[]}\n',
    );
    expect(stdout).toMatch(/exchange 1: backend message \d+: \{"type":"response\.completed"/);
  });
});

it('runs the examples of docs/format.md', async () => {
  const document = readFileSync(join(repository, 'docs', 'format.md'), 'utf8');
  const [, section = ''] = document.split('\n## HAR\n');
  const [, block = ''] = /```sh\n([^`]*)```/.exec(section) ?? [];
  const lines = block.split('\n').flatMap((line) => /^codex-parity ([^#]*)/.exec(line)?.[1]?.trim() ?? []);
  expect(lines).toHaveLength(3);
  const folder = temporaryFolder();
  // mitmproxy writes the file before them.
  writeFileSync(join(folder, 'session.har'), readFileSync(recorded));
  const results = [];
  for (const line of lines) results.push(await cli(line.split(' '), { cwd: folder }));
  expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
  expect(results[0]?.stderr).toBe(
    'left out 1 request to other hosts\nwrote .codex-parity/session.trace.jsonl with 3 requests, 1 of them for a model: print it with "codex-parity show .codex-parity/session.trace.jsonl"\n',
  );
  expect(results[1]?.stdout).toMatch(/^parity: .* follows the protocol of 0\.171\.0 fast$/m);
  expect(results[1]?.stderr).toMatch(/was imported: .* not compared$/m);
  expect(existsSync(join(folder, 'sealed.har'))).toBe(true);
});

it.each([
  [
    ['diff', 'latest', recorded],
    /not a trace or golden .*\. Make a trace of it with "codex-parity import .*\.har"$/,
  ],
  [
    ['import', join(repository, 'README.md')],
    /README\.md is not a HAR: it is not valid JSON\. Export it again$/,
  ],
  [['import', recorded, '--out', recorded], /exists already: name another file with --out$/],
  [['import'], /import needs 1 argument, not 0 \(see codex-parity import --help\)$/],
  [['export', '0.171.0/fast', '--out', '/dev/null/x'], /cannot write \/dev\/null\/x: /],
  [['export', 'nothing.trace.jsonl'], /nothing\.trace\.jsonl/],
])('rejects %j in one line', async (args, problem) => {
  const { exitCode, stdout, stderr } = await runInProcess(args);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr.trim()).toMatch(problem);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});
