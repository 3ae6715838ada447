import { createHash } from 'node:crypto';
import { scriptJson, xmlText } from './escape.ts';
import { type PageBundle, pageBundle } from './page-bundle.ts';
import { reportPage } from './page-data.ts';
import type { Report } from './report.ts';

/**
 * For people: one HTML file without any other. It holds the causes, all scenarios, and the traffic of those in which
 * something was found. The page runs from a `file:` URL, and its policy forbids it every connection.
 */
export async function htmlReport(report: Report): Promise<string> {
  const { page, traffic } = reportPage(report);
  return pageHtml({
    bundle: await pageBundle('page'),
    title: `${page.title} · ${page.ok ? 'parity' : 'no parity'} · codex-parity`,
    icon: icon(page.ok),
    data: [
      embedded('page-data', page),
      ...[...traffic].map(([index, one]) => embedded(`traffic-${index}`, one)),
    ],
  });
}

type PageHtmlOptions = {
  readonly bundle: PageBundle;
  readonly title: string;
  readonly icon: string;
  readonly data?: readonly string[];
  /** Whether the page may connect to the server that it comes from. */
  readonly connects?: boolean;
};

/** A page with its script and style. Its policy allows no other script or style, and nothing from elsewhere. */
export function pageHtml(options: PageHtmlOptions): string {
  const { bundle, title, data = [], connects = false } = options;
  const { script, style } = bundle;
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    'img-src data:',
    ...(connects ? ["connect-src 'self'"] : []),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${xmlText(title)}</title>`,
    `<link rel="icon" href="${options.icon}">`,
    `<style>${style}</style>`,
    '<div id="page"><noscript>This page needs JavaScript, which your browser does not run for it.</noscript></div>',
    ...data,
    `<script>${script}</script>`,
    '</html>\n',
  ].join('\n');
}

function embedded(id: string, data: unknown): string {
  return `<script type="application/json" id="${id}">${scriptJson(data)}</script>`;
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** The icon of a page: a check mark, or a cross. */
export function icon(ok: boolean): string {
  const color = ok ? '%23287a4d' : '%23b3372a';
  const mark = ok ? 'M9 17l5 5 10-12' : 'M10 10l12 12M22 10L10 22';
  return `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='7' fill='${color}'/%3E%3Cpath d='${mark}' fill='none' stroke='white' stroke-width='3.5' stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E`;
}
