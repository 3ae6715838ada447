import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { allUnfinished, verdictOf } from '../../src/diff/verdict.ts';
import type { Step } from '../../src/golden/trace/exchanges.ts';
import { requestInVersionOf } from '../../src/golden/trace/header-versions.ts';
import { htmlReport } from '../../src/report/html.ts';
import { type ReportPage, reportPage } from '../../src/report/page-data.ts';
import type { Report, ReportedScenario } from '../../src/report/report.ts';
import type { FrameData, SharedText, TrafficVariant } from '../../src/ui/model.ts';
import {
  addsHeader,
  type Change,
  changedScenario,
  changesOriginator,
  dropsCacheKey,
  longScenario,
  renamesSession,
  sortsHeaders,
} from './sample-traffic.ts';

function reportOf(...scenarios: readonly ReportedScenario[]): Report {
  return { subject: 'mine', driver: 'replay', scenarios };
}

const broken = reportOf(
  changedScenario('0.171.0', 'fast', renamesSession, changesOriginator, addsHeader('via', 'x')),
  changedScenario('0.171.0', 'default', renamesSession, dropsCacheKey),
  changedScenario('0.171.0', 'http-fallback'),
  {
    codex: '0.171.0',
    lane: 'chatgpt',
    scenario: 'review',
    ...verdictOf([], allUnfinished({ type: 'failed', reason: 'it died' })),
  },
);

/** The only variant of a scenario. */
function variantOf({ traffic }: ReportPage, index: number): TrafficVariant {
  const variant = traffic.get(index)?.variants[0];
  if (variant === undefined) throw new RangeError(`no traffic of ${index}`);
  return variant;
}

/** For each mark of a view: the titles of the frames in its row, and the code of its finding. */
function marked(page: ReportPage, index: number, id: string): string[] {
  const { views, tracks } = variantOf(page, index);
  const view = views.find((one) => one.id === id);
  return (view?.marks ?? []).map(({ row, finding, path }) => {
    const [, left = -1, right = -1] = view?.rows[row] ?? [];
    const title = (track: number | undefined, at: number) => tracks[track ?? -1]?.frames[at]?.title ?? '–';
    const cause = page.page.conversations[index]?.findings[finding]?.cause ?? -1;
    return `${title(view?.left, left)} | ${title(view?.right, right)} ${path.join('.')} ${page.page.causes[cause]?.code}`;
  });
}

/** A scenario in which a client was checked: there is one connection, and only parity. */
function clientScenario(scenario: ReportedScenario): ReportedScenario {
  const { findings, traffic = [], comparisons: _, ...rest } = scenario;
  const parity = findings.filter(({ comparison }) => comparison === 'parity');
  return {
    ...rest,
    ...verdictOf(parity, {}, ['parity']),
    information: [{ type: 'difference', name: 'input', places: [] }],
    traffic: traffic.map(({ front: _front, ...kept }) => ({ ...kept, compared: 'envelope' })),
  };
}

describe('the data of a page', () => {
  const page = reportPage(broken);

  it('shows one connection of a client, and parity alone', () => {
    const client = clientScenario(changedScenario('0.171.0', 'fast', dropsCacheKey));
    const own = reportPage(reportOf(client));
    const { tracks, views, timeline } = variantOf(own, 0);
    expect(tracks.map(({ name }) => name)).toEqual(['golden', 'client ↔ backend']);
    expect(views.map(({ id, marks }) => [id, marks.length])).toEqual([['parity', 2]]);
    expect(timeline).toEqual({ parties: ['client', 'backend'], tracks: [1] });
    expect(own.page.conversations[0]?.comparisons.map(({ name }) => name)).toEqual(['parity']);
  });

  it('says what is wrong in one sentence, and orders causes by harm', () => {
    expect(page.page.headline).toBe('No parity: 4 causes in 2 of 4 scenarios, 1 failed');
    expect(page.page.causes.map(({ code, conversations }) => [code, conversations])).toEqual([
      ['session/header-renamed', [0, 1]],
      ['session/cache-key-missing', [1]],
      ['client/name-changed', [0]],
      ['shape/header-added', [0]],
    ]);
  });

  it('says so if nothing is wrong', () => {
    const clean = reportPage(reportOf(changedScenario('0.171.0', 'default')));
    expect(clean.page).toMatchObject({ ok: true, headline: 'Parity in 1 scenario', causes: [] });
  });

  it('has the traffic only of scenarios in which something was found', () => {
    expect([...page.traffic.keys()].sort()).toEqual([0, 1]);
    expect(page.page.conversations.map(({ traffic }) => traffic)).toEqual([true, true, false, false]);
  });

  it('marks the rows that findings are about', () => {
    const head = 'GET /backend-api/codex/responses';
    expect(marked(page, 0, 'parity').sort()).toEqual([
      `${head} | ${head} originator client/name-changed`,
      `${head} | ${head} session-id session/header-renamed`,
      `${head} | ${head} via shape/header-added`,
    ]);
    expect(marked(page, 1, 'parity')).toContain(
      'response.create | response.create prompt_cache_key session/cache-key-missing',
    );
    expect(marked(page, 0, 'neutrality')).toEqual([]);
  });

  it('shows a golden over the version of HTTP that was used', () => {
    const overHttp1: Change = ({ connection, request, ...rest }) => {
      const { version, ...other } = request;
      return {
        ...rest,
        connection: { ...connection, tls: null },
        request: requestInVersionOf(request, other),
      };
    };
    const heads = (...changes: readonly Change[]) => {
      const scenario = changedScenario('0.171.0', 'http-fast', changesOriginator, ...changes);
      const { tracks, views } = variantOf(reportPage(reportOf(scenario)), 0);
      const [parity] = views;
      return [parity?.left, parity?.right].map((track) => {
        const post = tracks[track ?? -1]?.frames.find(({ line }) => line?.startsWith('POST'));
        return [post?.line, ...(post?.headers ?? []).map(([name]) => name)];
      });
    };
    const [golden, sent] = heads(overHttp1);
    expect(golden).toEqual(sent);
    expect(golden?.[0]).toBe('POST /backend-api/codex/responses');
    expect(golden?.slice(-2)).toEqual(['host', 'content-length']);
    const [overHttp2, alike] = heads();
    expect(overHttp2).toEqual(alike);
    expect(overHttp2?.slice(0, 2)).toEqual(['POST /backend-api/codex/responses HTTP/2', ':authority']);
  });

  it('marks the order of names, and has both orders', () => {
    const sorted = reportPage(reportOf(changedScenario('0.171.0', 'fast', sortsHeaders)));
    expect(variantOf(sorted, 0).views[0]?.marks[0]).toMatchObject({ path: [], order: true });
    expect(sorted.page.causes[0]?.orders?.actual[0]).toBe('authorization');
  });

  it('marks a message that is missing beside nothing', () => {
    const drops = (exchange: Parameters<typeof renamesSession>[0]) => ({
      ...exchange,
      steps: exchange.steps.filter(
        (step, index) =>
          index !== exchange.steps.findLastIndex((one) => one.type === 'message' && one.from === 'client') ||
          step.type === 'response',
      ),
    });
    const report = reportPage(reportOf(changedScenario('0.171.0', 'fast', drops)));
    expect(marked(report, 0, 'parity')).toContain('response.create | –  transport/message-missing');
    expect(marked(report, 0, 'neutrality')).toContain('response.create | –  transport/message-missing');
  });

  it('does not pair a message with a close', () => {
    const closes: Change = ({ steps, ...exchange }) => ({
      ...exchange,
      steps: steps.map((step, index): Step => {
        const isLast =
          index === steps.findLastIndex((one) => one.type === 'message' && one.from === 'client');
        if (!isLast || step.type !== 'message') return step;
        return { ...step, opcode: 'close', content: { kind: 'close', code: 1000 } };
      }),
    });
    const report = reportPage(reportOf(changedScenario('0.171.0', 'fast', closes)));
    expect(marked(report, 0, 'neutrality')).toContain('response.create | –  transport/message-missing');
    const { views, tracks } = variantOf(report, 0);
    const rows = views[1]?.rows.map(([, left, right]) => [
      tracks[1]?.frames[left]?.title,
      tracks[2]?.frames[right]?.title,
    ]);
    expect(rows).toContainEqual([undefined, 'close 1000']);
  });

  it('pairs the messages of a long response one by one', () => {
    const report = reportPage(reportOf(longScenario(2000)));
    const view = variantOf(report, 0).views.find(({ id }) => id === 'neutrality');
    expect(view?.rows.length).toBeGreaterThan(2000);
    expect(view?.rows.filter(([, left, right]) => left === -1 || right === -1)).toEqual([]);
    expect(view?.marks.map(({ row }) => row)).toEqual([(view?.rows.length ?? 0) - 1]);
  });

  it('has every text once, and all of it', () => {
    const { shared } = page.page;
    const read = (parts: SharedText): string =>
      parts.map((part) => (typeof part === 'number' ? read(shared[part] ?? []) : part)).join('');
    const frames = [...page.traffic.values()].flatMap(({ variants }) =>
      variants.flatMap(({ tracks }) => tracks.flatMap((track) => track.frames)),
    );
    const requests = frames.filter(({ title }) => title === 'response.create');
    const text = ({ json = [] }: FrameData) => JSON.parse(read(json));
    expect(requests.map(text)).toEqual(requests.map(() => expect.objectContaining({ model: 'gpt-6.2-sol' })));
    const texts = shared.map(read);
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('shows texts that the subject made up', () => {
    const seal = `<<sealed 5 ${'ab'.repeat(32)}>>`;
    const scenario = changedScenario('0.171.0', 'fast', addsHeader('x-note', seal));
    const traffic = (scenario.traffic ?? []).map((one) => ({ ...one, texts: new Map([[seal, 'rhyme']]) }));
    const report = reportPage(reportOf({ ...scenario, traffic }));
    const [request] = variantOf(report, 0).tracks[2]?.frames ?? [];
    expect(request?.headers?.at(-1)).toEqual(['x-note', ['"rhyme"']]);
  });

  it('keeps the values that variables have', () => {
    const { variables } = variantOf(page, 0);
    expect(variables.find(({ name }) => name === 'session_id')).toMatchObject({
      description: 'a UUID of version 7, with the time of the run',
      value: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });
});

describe('the HTML report', () => {
  it('is one file that may load nothing, run nothing but its script, and send nothing', async () => {
    const html = await htmlReport(broken);
    expect(html).not.toMatch(/<(?:link|img|script|iframe)[^>]+(?:src|href)="(?!data:)/);
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1] ?? '';
    const hash = (text = '') => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      `script-src ${hash(/<script>([\s\S]*)<\/script>\n<\/html>/.exec(html)?.[1])}`,
      `style-src ${hash(/<style>([\s\S]*?)<\/style>/.exec(html)?.[1])}`,
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
    ]);
  });

  it('is the same for the same report', async () => {
    expect(await htmlReport(broken)).toBe(await htmlReport(broken));
  });
});
