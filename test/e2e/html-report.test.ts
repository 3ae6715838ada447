import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allUnfinished, verdictOf } from '../../src/diff/verdict.ts';
import { htmlReport } from '../../src/report/html.ts';
import {
  addsHeader,
  changedScenario,
  changesOriginator,
  dropsCacheKey,
  longScenario,
  renamesSession,
} from '../report/sample-traffic.ts';
import { openFile, startPages, whyNoBrowser } from './browser.ts';
import { repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const hostile = '</script><img src=x onerror=alert(1)><!--\u202e\u2028&amp;';

describe.skipIf(whyNoBrowser !== undefined)('the HTML report in Chromium', () => {
  let pages: BrowserContext;
  let html: string;

  beforeAll(async () => {
    pages = await startPages();
    html = await htmlReport({
      subject: 'mine',
      driver: 'replay',
      scenarios: [
        changedScenario('0.171.0', 'fast', renamesSession, changesOriginator, dropsCacheKey),
        changedScenario('0.171.0', 'default', renamesSession, addsHeader('via', hostile)),
        changedScenario('0.171.0', 'http-fallback'),
        {
          ...{ codex: '0.171.0', lane: 'chatgpt', scenario: 'review' },
          ...verdictOf([], allUnfinished({ type: 'failed', reason: hostile })),
        },
        longScenario(20),
      ],
    });
  });
  afterAll(() => pages?.browser()?.close());

  const titles = (page: Page) => page.locator('.cause .title').allTextContents();

  it('shows the causes first, the most harmful on top', async () => {
    const { page, problems } = await openFile(pages, html);
    await expect.poll(() => page.title()).toBe('mine · no parity · codex-parity');
    await expect
      .poll(() => page.locator('.headline').textContent())
      .toBe('No parity: 5 causes in 3 of 5 scenarios, 1 failed');
    expect((await titles(page)).slice(0, 2)).toEqual([
      'session-id sent as session_id',
      'prompt_cache_key missing',
    ]);
    await expect
      .poll(() => page.locator('.cause .severity').allTextContents())
      .toEqual([...['breaks', 'breaks', 'breaks', 'identity', 'shape']]);
    // All of them are in view.
    await expect.poll(() => page.locator('.cause').last().isVisible()).toBe(true);
    expect(problems).toEqual([]);
  });

  it('filters by severity and by code, in the matrix of scenarios too', async () => {
    const { page, problems } = await openFile(pages, html);
    await page.locator('.filter .identity').click();
    await expect.poll(() => titles(page)).toEqual(['originator: "my_proxy" instead of "codex_exec"']);
    await expect
      .poll(() => page.locator('.matrix-cell:not(.faint)').getAttribute('aria-label'))
      .toContain('fast');
    await page.locator('.filter button').first().click();
    await page.keyboard.press('/');
    await page.keyboard.type('cache-key');
    await expect.poll(() => titles(page)).toEqual(['prompt_cache_key missing']);
    await page.keyboard.press('Escape');
    expect(page.url()).toContain('text=cache-key');
    await page.reload();
    await expect.poll(() => titles(page)).toEqual(['prompt_cache_key missing']);
    expect(problems).toEqual([]);
  });

  it('folds scenarios in which the same was found', async () => {
    const twice = ['fast', 'default', 'tool-turn'].map((name) =>
      changedScenario('0.171.0', name, renamesSession),
    );
    const clean = changedScenario('0.171.0', 'http-fallback');
    const { page, problems } = await openFile(
      pages,
      await htmlReport({ subject: 'mine', driver: 'replay', scenarios: [...twice, clean] }),
    );
    const names = page.locator('.matrix tbody th');
    await expect.poll(() => names.allTextContents()).toEqual(['fastand 2 more alike']);
    await names.getByRole('button').click();
    await expect.poll(() => names.allTextContents()).toEqual(['fastand these', 'default', 'tool-turn']);
    await expect.poll(() => page.locator('.clean summary').textContent()).toBe('1 scenario without findings');
    expect(problems).toEqual([]);
  });

  it('leads from a cause to the place that shows it', async () => {
    const { page, problems } = await openFile(pages, html);
    await page.getByRole('button', { name: /prompt_cache_key missing/ }).click();
    await page.locator('.look').click();
    await page.waitForSelector('.row.line.found');
    const row = page.locator('.row.line.found.left-only', { hasText: 'prompt_cache_key' }).first();
    await expect.poll(() => row.isVisible()).toBe(true);
    await expect
      .poll(() => page.locator('.row.active .frame-title').first().textContent())
      .toBe('response.create');
    await page.goBack();
    await expect.poll(() => page.locator('.cause .detail').isVisible()).toBe(true);
    expect(problems).toEqual([]);
  });

  it('lights all places of a variable under the pointer', async () => {
    const { page, open, problems } = await openFile(pages, html);
    await open('#/0.171.0/chatgpt/fast');
    await page.locator('.list .variable.in-pattern[data-variable=session_id]').first().hover();
    const hot = page.locator('.list .variable.hot');
    const texts = new Set(await hot.allTextContents());
    await expect.poll(() => hot.count()).toBeGreaterThan(3);
    expect([...texts].filter((text) => text !== 'session_id')).toEqual([
      expect.stringMatching(/^[0-9a-f-]{36}$/),
    ]);
    await expect.poll(() => page.locator('aside button.hot').textContent()).toContain('session_id');
    await page.mouse.move(0, 0);
    await expect.poll(() => hot.count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it('shows the renamed header, and its bytes on demand', async () => {
    const { page, open, problems } = await openFile(pages, html);
    await open('#/0.171.0/chatgpt/fast?view=parity');
    const row = page.locator('.row.line.found.changed', { hasText: 'session_id' }).first();
    await expect.poll(() => row.locator('.name').allTextContents()).toEqual(['session-id: ', 'session_id: ']);
    await page.locator('.row.frame.active .raw').click();
    const raw = page.locator('.inspector pre');
    await expect
      .poll(() => raw.last().textContent())
      .toMatch(/^GET \/backend-api\/codex\/responses\n[\s\S]*session_id: /);
    await page.getByRole('button', { name: 'bytes' }).click();
    await expect.poll(() => raw.last().textContent()).toMatch(/^000000 {2}47 45 54 20 2f /);
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.inspector').count()).toBe(0);
    await expect.poll(() => page.locator('.conversation').count()).toBe(1);
    expect(problems).toEqual([]);
  });

  it('does everything with the keyboard', async () => {
    const { page, problems } = await openFile(pages, html);
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await expect
      .poll(() => page.locator('.cause-row:focus .title').textContent())
      .toBe('prompt_cache_key missing');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.cause-row:focus').getAttribute('aria-expanded')).toBe('true');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.list:focus');
    const active = () => page.locator('.row.active').first();
    const first = await active().getAttribute('id');
    await page.keyboard.press('n');
    await expect.poll(() => active().getAttribute('id')).not.toBe(first);
    await page.keyboard.press('p');
    await expect.poll(() => active().getAttribute('id')).toBe(first);
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => active().getAttribute('aria-expanded')).toBe('false');
    await page.keyboard.press('ArrowRight');
    // What follows is a fold of equal lines, then the first of these lines.
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => active().textContent()).toMatch(/equal lines/);
    await page.keyboard.press('Enter');
    await expect.poll(() => active().textContent()).not.toMatch(/equal lines/);
    await page.keyboard.press('Enter');
    await page.locator('.inspector:focus').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.inspector').count()).toBe(0);
    await page.keyboard.press('3');
    await expect
      .poll(() => page.locator('[role=tab][aria-selected=true]').textContent())
      .toContain('timeline');
    await page.keyboard.press(']');
    await expect.poll(() => page.locator('h1').textContent()).toBe('default');
    await page.keyboard.press('?');
    await expect.poll(() => page.locator('dialog').isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('dialog').count()).toBe(0);
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.overview').count()).toBe(1);
    expect(problems).toEqual([]);
  });

  it('shows both connections as a timeline, and what was passed on', async () => {
    const { page, open, problems } = await openFile(pages, html);
    await open('#/0.171.0/chatgpt/fast?view=timeline');
    await expect
      .poll(() => page.locator('.party').allTextContents())
      .toEqual(['client', 'subject', 'backend']);
    const rows = page.locator('.row.moment');
    await expect.poll(() => rows.count()).toBeGreaterThan(10);
    await rows.first().hover();
    await expect
      .poll(() => page.locator('.row.partner .label').textContent())
      .toBe('GET /backend-api/codex/responses');
    await page.locator('.row.moment.found').first().click();
    await expect.poll(() => page.locator('.row.frame.active').count()).toBe(1);
    // A frame that is clicked is in the link.
    const frame = page.locator('.row.frame[aria-expanded=false]').first();
    const title = await frame.textContent();
    await frame.click();
    await expect
      .poll(() => page.locator('.row.frame.active[aria-expanded=true]').textContent())
      .toContain(title?.slice(1));
    const link = page.url();
    await page.reload();
    expect(page.url()).toBe(link);
    await expect.poll(() => page.locator('.row.frame.active').textContent()).toContain(title?.slice(1));
    expect(problems).toEqual([]);
  });

  it('scrolls through 2,000 frames with only those in view in the document', async () => {
    const long = { subject: 'mine', driver: 'replay', scenarios: [longScenario(2000)] } as const;
    const { page, open, problems } = await openFile(pages, await htmlReport(long));
    await open('#/0.171.0/chatgpt/long?view=neutrality');
    await page.keyboard.press('Home');
    const list = page.locator('.list');
    expect(Number(await list.getAttribute('aria-rowcount'))).toBeGreaterThan(2000);
    const most = await inPage<number>(page, 'scroll-through.js');
    expect(most).toBeLessThan(150);
    await page.keyboard.press('n');
    const found = page.locator('.row.line.found', { hasText: 'delta' }).first();
    await found.waitFor();
    await expect.poll(() => found.locator('mark').allTextContents()).toContain('changed');
    expect(problems).toEqual([]);
  });

  it('is dark or light as the system has it, or as the reader wants', async () => {
    const { page, problems } = await openFile(pages, html, 'dark');
    const ground = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const dark = await ground();
    await page.keyboard.press('t');
    await expect.poll(ground).not.toBe(dark);
    const light = await ground();
    expect(brightness(dark)).toBeLessThan(60);
    expect(brightness(light)).toBeGreaterThan(200);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.keyboard.press('t');
    await expect.poll(ground).toBe(dark);
    expect(problems).toEqual([]);
  });

  it('shows what traffic and reasons contain as text', async () => {
    const { page, open, problems } = await openFile(pages, html);
    await expect
      .poll(() => page.locator('.notes').textContent())
      .toContain('</script><img src=x onerror=alert(1)><!--\\u202e');
    await open('#/0.171.0/chatgpt/default');
    const row = page.locator('.row.right-only', { hasText: 'via' });
    await expect
      .poll(() => row.textContent())
      .toContain('</script><img src=x onerror=alert(1)><!--\\u202e\\u2028&amp;');
    await expect.poll(() => page.locator('img').count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it('says why there is no traffic', async () => {
    const { page, open, problems } = await openFile(pages, html);
    await open('#/0.171.0/chatgpt/http-fallback');
    await expect.poll(() => page.locator('.no-traffic').textContent()).toContain('Nothing was found');
    await open('#/0.171.0/chatgpt/review');
    await expect.poll(() => page.locator('.reason').textContent()).toContain('onerror');
    await open('#/no/such/scenario');
    await expect.poll(() => page.locator('.overview').count()).toBe(1);
    expect(problems).toEqual([]);
  });

  it('names every control, and has no text that is hard to read', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, open } = await openFile(pages, html, colorScheme);
      for (const hash of ['#/', '#/0.171.0/chatgpt/fast', '#/0.171.0/chatgpt/fast?view=timeline']) {
        await open(hash);
        await expect.poll(() => inPage(page, 'nameless-controls.js')).toEqual([]);
        await expect.poll(() => inPage(page, 'faint-texts.js')).toEqual([]);
      }
    }
  });

  it('is what check writes', async () => {
    const folder = temporaryFolder();
    const proxy = join(import.meta.dirname, 'message-proxy.ts');
    const command = [process.execPath, proxy, '{port}', '{upstream}', 'rewrites response ids'];
    writeFileSync(
      join(folder, 'codex-parity.config.json'),
      JSON.stringify({ subjects: { mine: { command } } }),
    );
    const { exitCode } = await runInProcess(
      [
        ...['check', '--subject', 'mine', '--goldens', join(repository, 'traces')],
        ...['--codex', '0.169.0', '--scenario', 'fast,http-fallback', '--report', 'html=report.html'],
      ],
      { cwd: folder },
    );
    expect(exitCode).toBe(1);
    const { page, open, problems } = await openFile(pages, readFileSync(join(folder, 'report.html'), 'utf8'));
    await expect.poll(() => page.locator('.cause .code').allTextContents()).toEqual(['response/id-changed']);
    await open('#/0.169.0/chatgpt/fast');
    await expect.poll(() => page.locator('.row.line.found mark').count()).toBeGreaterThan(0);
    await page.keyboard.press('3');
    const times = (await page.locator('.time').allTextContents()).map(Number);
    expect(times.length).toBeGreaterThan(10);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(problems).toEqual([]);
  });
});

/** From 0 to 255. */
function brightness(color: string): number {
  const [red = 0, green = 0, blue = 0] = (color.match(/\d+/g) ?? []).map(Number);
  return (red + green + blue) / 3;
}

/** Runs a script of test/e2e/in-page, and returns the value of its expression. */
async function inPage<T>(page: Page, script: string): Promise<T> {
  return await page.evaluate<T>(readFileSync(join(import.meta.dirname, 'in-page', script), 'utf8'));
}
