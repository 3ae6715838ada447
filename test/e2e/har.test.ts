import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import { startBrowser, whyNoBrowser } from './browser.ts';
import { cli, repository, temporaryFolder } from './cli.ts';
import { type CliResult, runInProcess } from './run-in-process.ts';

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

/** The command lines that README.md, docs/format.md and the help show, without those of other commands. */
async function documented(): Promise<string[][]> {
  const help: string[] = [];
  for (const name of ['show', 'import', 'export']) {
    const { stdout } = await cli([name, '--help']);
    // Its first line is the synopsis.
    help.push(stdout.slice(stdout.indexOf('\n')));
  }
  const [readme = '', format = ''] = ['README.md', 'docs/format.md'].map((file) =>
    readFileSync(join(repository, file), 'utf8'),
  );
  const [, section = ''] = format.split('\n## HAR\n');
  const texts = [readme, ...help];
  const lines = texts.flatMap((text) => text.match(/^ *codex-parity (?:show|import|export) [^#\n]*/gm) ?? []);
  const all = [...lines, ...(section.match(/^codex-parity [^#\n]*/gm) ?? [])].map((line) => line.trim());
  return [...new Set(all)].map((line) => line.split(' ').slice(1));
}

it('runs the examples of README.md, docs/format.md and the help', async () => {
  const commands = await documented();
  // Others need what it writes.
  const imports = commands.filter(([name]) => name === 'import');
  const others = commands.filter(([name]) => name !== 'import');
  expect(imports).toHaveLength(1);
  expect(
    others
      .map(([name]) => name)
      .sort()
      .join(' '),
  ).toBe('diff export export export show show show show show');
  const folder = temporaryFolder();
  // mitmproxy writes the first file, and `record` the second.
  writeFileSync(join(folder, 'session.har'), readFileSync(recorded));
  await runInProcess(['import', recorded, '--out', join(folder, 'live.trace.jsonl')]);
  const results = new Map<string, CliResult>();
  for (const args of [...imports, ...others]) {
    // The examples of `show` need no folder.
    const options = args[0] === 'show' ? {} : { cwd: folder };
    results.set(args.join(' '), await runInProcess(args, options));
  }
  expect([...results].filter(([, { exitCode }]) => exitCode !== 0)).toEqual([]);
  expect(results.get('import session.har')?.stderr).toBe(
    'left out 1 request to other hosts\nwrote .codex-parity/session.trace.jsonl with 3 requests, 1 of them for a model: print it with "codex-parity show .codex-parity/session.trace.jsonl"\n',
  );
  const compared = results.get('diff 0.171.0/fast .codex-parity/session.trace.jsonl');
  expect(compared?.stdout).toMatch(/^parity: .* follows the protocol of 0\.171\.0 fast$/m);
  expect(compared?.stderr).toMatch(/was imported: .* not compared$/m);
  for (const file of ['sealed.har', 'fast.har', 'live.har'])
    expect(existsSync(join(folder, file))).toBe(true);
});

it.each([
  [
    ['diff', 'latest', recorded],
    /not a trace or golden .*: make a trace of it with "codex-parity import .*\.har"$/,
  ],
  [
    ['import', join(repository, 'README.md')],
    /README\.md is not a HAR: it is not valid JSON\. Export it again$/,
  ],
  [['import', recorded, '--out', recorded], /exists already: name another file with --out$/],
  [
    ['import'],
    /import needs 1 argument, not 0: codex-parity import <har> \(see codex-parity import --help\)$/,
  ],
  [['export', '0.171.0/fast', '--out', '/dev/null/x'], /cannot write \/dev\/null\/x: /],
  [['export', 'nothing.trace.jsonl'], /nothing\.trace\.jsonl/],
])('rejects %j in one line', async (args, problem) => {
  const { exitCode, stdout, stderr } = await runInProcess(args);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr.trim()).toMatch(problem);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});
