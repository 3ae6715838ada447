import type { IncomingMessage, ServerResponse } from 'node:http';
import { listenLocally } from '../listening.ts';
import { icon, pageHtml } from '../report/html.ts';
import { pageBundle } from '../report/page-bundle.ts';
import type { SessionData, WatchMessage, WatchState } from '../ui/watch-model.ts';
import { createServer } from '../wire/node-http.ts';
import { type Analysis, mostKept } from './analysis.ts';
import { sessionData, turnPage } from './watch-data.ts';

type PageServerOptions = {
  readonly analysis: Analysis;
  readonly port: number;
  /** What the page says about the relay. */
  readonly about: Pick<WatchState, 'listen' | 'upstream'>;
};

/** The server of the live page. */
type PageServer = {
  readonly url: string;
  /** Passes on that something in a session changed, and in which of its turns. */
  readonly update: (session: number, turn?: number) => void;
};

/** The most pages that are open at once, and the most characters that wait for a slow one. */
const most = { pages: 16, waiting: 4_000_000 };
/** Changes are collected for so many milliseconds. */
const interval = 100;

/**
 * Serves the live page on 127.0.0.1. Only pages that come from here may ask it: a page of another site could reach
 * loopback too, and so could one whose host name somebody's DNS points at this machine.
 */
export async function startPageServer({ analysis, port, about }: PageServerOptions): Promise<PageServer> {
  const html = pageHtml({
    ...{ bundle: await pageBundle('watch'), title: 'watch · codex-parity', icon: icon(true) },
    connects: true,
  });
  const readers = new Set<Reader>();
  const state = (): WatchState => ({
    ...about,
    sessions: analysis.sessions().map(sessionData),
    limits: { sessions: mostKept.sessions, turns: mostKept.turns },
    dropped: analysis.dropped,
  });
  const server = createServer((request, response) => {
    const refusal = refusalOf(request, ownHosts);
    if (refusal !== undefined) return send(response, refusal, 'text/plain', `${refusals[refusal]}\n`);
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const [, turn] = /^\/turns\/(\d{1,9})$/.exec(path) ?? [];
    if (path === '/') return send(response, 200, 'text/html; charset=utf-8', html);
    if (path === '/events') return subscribe(response);
    const page = turn === undefined ? undefined : turnPage(analysis, Number(turn));
    if (page === undefined) return send(response, 404, 'text/plain', `${refusals[404]}\n`);
    send(response, 200, 'application/json', JSON.stringify(page));
  });
  const subscribe = (response: ServerResponse) => {
    if (readers.size >= most.pages) return send(response, 503, 'text/plain', `${refusals[503]}\n`);
    response.writeHead(200, { ...safety, 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const reader = new Reader(response, () => ({ type: 'state', state: state() }));
    readers.add(reader);
    response.once('close', () => readers.delete(reader));
  };
  const changed = new Map<number, Set<number>>();
  const flush = () => {
    for (const [number, turns] of changed) {
      const watched = analysis.session(number);
      if (watched === undefined || readers.size === 0) continue;
      const session: SessionData = sessionData({
        ...watched,
        turns: watched.turns.filter(({ id }) => turns.has(id)),
      });
      for (const reader of readers) reader.send({ type: 'update', session, dropped: analysis.dropped });
    }
    changed.clear();
  };
  const ownPort = await listenLocally(server, port);
  const ownHosts = new Set(['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${ownPort}`));
  return {
    url: `http://127.0.0.1:${ownPort}/`,
    update: (session, turn) => {
      if (readers.size === 0) return;
      if (changed.size === 0) setTimeout(flush, interval).unref();
      const turns = changed.get(session) ?? new Set();
      changed.set(session, turn === undefined ? turns : turns.add(turn));
    },
  };
}

/** A page that is open. One that reads too slowly misses changes, and then gets everything again. */
class Reader {
  readonly #response: ServerResponse;
  readonly #everything: () => WatchMessage;
  #isBehind = false;

  constructor(response: ServerResponse, everything: () => WatchMessage) {
    this.#response = response;
    this.#everything = everything;
    this.send(everything());
  }

  send(message: WatchMessage): void {
    if (this.#isBehind) return;
    if (this.#response.writableLength > most.waiting) {
      this.#isBehind = true;
      this.#response.once('drain', () => {
        this.#isBehind = false;
        this.send(this.#everything());
      });
      return;
    }
    this.#response.write(`data: ${JSON.stringify(message)}\n\n`);
  }
}

const refusals = {
  403: 'This page can be opened on this machine only, under the address that codex-parity printed.',
  404: 'There is no such page.',
  405: 'Only GET is served.',
  503: 'The page is open too often: close it elsewhere.',
} as const;

/** Why a request is not served; undefined if it is. */
function refusalOf(
  { method, headers }: IncomingMessage,
  ownHosts: ReadonlySet<string>,
): 403 | 405 | undefined {
  if (!ownHosts.has(headers.host ?? '')) return 403;
  const { origin, 'sec-fetch-site': site } = headers;
  if (origin !== undefined && !ownHosts.has(origin.replace(/^http:\/\//, ''))) return 403;
  if (site !== undefined && site !== 'none' && site !== 'same-origin') return 403;
  return method === 'GET' ? undefined : 405;
}

const safety = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
};

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { ...safety, 'content-type': type, 'cache-control': 'no-store' });
  response.end(text);
}
