import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './cli.ts';

const executablePath = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((path) => path !== undefined && existsSync(path));

/** Why tests in a browser are skipped; undefined if they are not. On CI they never are. */
export const whyNoBrowser =
  executablePath === undefined && process.env.CI === undefined
    ? 'no Chromium was found: install it, or name it in CHROMIUM_PATH'
    : undefined;
if (whyNoBrowser !== undefined) console.warn(`Tests in a browser are skipped: ${whyNoBrowser}.`);

/** @throws Error if there is no Chromium. */
export async function startBrowser(): Promise<Browser> {
  if (executablePath === undefined) throw new Error('no Chromium was found: .ci/run installs it');
  // Containers, in which tests may run, have no sandbox for it.
  return await chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

/** Starts a browser whose pages from files share one process, which an empty page keeps: a process each would take most of the time. */
export async function startPages(): Promise<BrowserContext> {
  const browser = await startBrowser();
  const pages = await browser.newContext();
  await pages.newPage();
  return pages;
}

/** A page from a file, and what went wrong in it. */
export type OpenPage = {
  readonly page: Page;
  /** Errors, messages of the console, and requests for anything but the file. */
  readonly problems: readonly string[];
  readonly open: (hash: string) => Promise<void>;
};

/** Opens HTML as a file, in a system that is light or dark. */
export async function openFile(
  pages: BrowserContext,
  html: string,
  colorScheme: 'light' | 'dark' = 'light',
): Promise<OpenPage> {
  const file = join(temporaryFolder(), 'report.html');
  writeFileSync(file, html);
  const page = await pages.newPage();
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme });
  onTestFinished(async () => {
    await page.evaluate('localStorage.clear()');
    await page.close();
  });
  const problems: string[] = [];
  page.on('console', (message) => problems.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (!/^(?:file|data):/.test(request.url())) problems.push(`request: ${request.url()}`);
  });
  const open = async (hash: string) => {
    await page.goto(`file://${file}${hash}`);
    await page.waitForSelector('main');
  };
  await open('');
  return { page, problems, open };
}
