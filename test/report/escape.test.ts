import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { progress } from '../../src/cli/progress.ts';
import { run } from '../../src/cli/run.ts';
import { type DriftGroup, driftGroups } from '../../src/diff/drift.ts';
import type { Finding } from '../../src/diff/finding.ts';
import { allUnfinished, verdictOf } from '../../src/diff/verdict.ts';
import { printGolden } from '../../src/golden/file.ts';
import type { Golden } from '../../src/golden/golden.ts';
import { type TierReport, tierJson, tierText } from '../../src/measure/tier-report.ts';
import { ctrfReport } from '../../src/report/ctrf.ts';
import { driftFormats } from '../../src/report/drift.ts';
import { jsonText, markdownText, terminalLine } from '../../src/report/escape.ts';
import { firstScreen } from '../../src/report/first-screen.ts';
import { githubReport, githubSummary } from '../../src/report/github.ts';
import { htmlReport } from '../../src/report/html.ts';
import { informationText } from '../../src/report/information.ts';
import { jsonReport } from '../../src/report/json.ts';
import { junitReport } from '../../src/report/junit.ts';
import { goldenListing } from '../../src/report/listing.ts';
import { textReport } from '../../src/report/text.ts';
import { createTrace } from '../../src/trace/trace.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { jsonString } from '../../src/wire/json.ts';
import { exchangeOf, message } from '../diff/exchange.ts';

function characters(...ranges: readonly (readonly [from: number, to: number])[]): string {
  const codes = ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, at) => from + at));
  return String.fromCodePoint(...codes);
}

/** What a client, a subject, a backend or a file could put into a report. */
const payloads: Readonly<Record<string, string>> = {
  'C0 controls': characters([0x00, 0x1f], [0x7f, 0x7f]),
  'C1 controls': characters([0x80, 0x9f]),
  'an OSC 52 that writes the clipboard': '\u001b]52;c;cm0gLXJmIH4K\u0007',
  'an OSC 8 link': '\u001b]8;;https://example.org\u001b\\link\u001b]8;;\u001b\\',
  'a CSI that clears the screen': '\u001b[2J\u001b[H\u009b31m',
  'bidi controls': characters([0x202a, 0x202e], [0x2066, 0x2069]),
  'characters of no width': characters([0x200b, 0x200f], [0xfeff, 0xfeff], [0x2060, 0x2064], [0xad, 0xad]),
  'tag characters': characters([0xe0000, 0xe007f]),
  'line separators': '\u2028\u2029\u0085',
  'lone surrogates': 'a\ud800b\udc00c',
  noncharacters: '\ufffe\uffff',
  backticks: '`` ` ```',
  'table cells': '| a | b |\n|---|---|',
  HTML: '<img src=x onerror=alert(1)><!--',
  'the end of CDATA': ']]><![CDATA[',
  'a workflow command': '::error::x',
  'a workflow command in a line of its own': 'a\n  ::add-mask::x\r::set-env name=PATH::/tmp',
  'an old workflow command': 'a ##[add-matcher]/tmp/x.json',
  'escaped line ends': '%0A::error::x%0D%25',
  'output of a terminal': '\u001b[1m\u001b[31merror\u001b[0m: no\u0008\u0008yes\r\n',
  Markdown: '[a](https://example.org) **b** # c @d ~~e~~ &amp; \\',
};
const all = Object.values(payloads).join(' ');

const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/u;

function expectVisible(output: string): void {
  expect(output.replaceAll('\n', '')).not.toMatch(hidden);
  expect(output).not.toContain('##[');
  expect(output.split('\n').filter((line) => line.trimStart().startsWith('::'))).toEqual([]);
}

describe.each(Object.entries(payloads))('%s', (_, payload) => {
  const finding: Finding = {
    comparison: 'parity',
    kind: 'changed',
    places: [{ exchange: 1, side: 'client', part: 'message', number: 1, path: [payload, 0, payload] }],
    expected: { type: 'json', node: jsonString(payload) },
    actual: { type: 'request', method: payload, target: payload },
  };
  const renamed: Finding = {
    comparison: 'request neutrality',
    kind: 'renamed',
    places: [{ exchange: 1, side: 'backend', part: 'message', number: 1, type: payload, path: [] }],
    from: payload,
    to: payload,
  };
  const id = { codex: payload, lane: payload, scenario: payload };
  const report = {
    subject: payload,
    driver: payload,
    scenarios: [
      { ...id, ...verdictOf([finding, renamed], {}) },
      { ...id, ...verdictOf([], allUnfinished({ type: 'failed', reason: payload })) },
      { ...id, ...verdictOf([], allUnfinished({ type: 'not checked', reason: payload })) },
    ],
  };
  const passed = { ...report, scenarios: [{ ...id, ...verdictOf([], {}) }] };

  it('is visible in the text report', () => {
    for (const one of [report, passed]) {
      const text = textReport(one);
      expectVisible(text);
      expect(text.split('\n').filter((line) => line.includes('why '))).toHaveLength(one === report ? 2 : 0);
    }
  });

  it('is visible in the JSON report, and unchanged for programs', () => {
    const text = jsonReport(report);
    expectVisible(text);
    expect(JSON.parse(text)).toMatchObject({
      subject: payload,
      scenarios: [{ findings: [{}, { from: payload }] }, {}, {}],
    });
    expect(JSON.parse(jsonText({ [payload]: payload }))).toEqual({ [payload]: payload });
  });

  it('is visible in the JUnit report, and no markup', () => {
    for (const one of [report, passed]) {
      const xml = junitReport(one);
      expectVisible(xml);
      expect(xml).not.toMatch(/\]\]>|<img|<!/);
      expect(xml.replaceAll(/<[^<>]*>/g, '').replaceAll(/&(?:amp|lt|gt|quot|#10);/g, '')).not.toMatch(/[<&]/);
    }
  });

  it('is visible on the first screen, in lines of its own', () => {
    for (const one of [report, passed]) {
      const text = firstScreen(one);
      expectVisible(text);
      expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(one === report ? 12 : 1);
    }
  });

  it('is visible in the CTRF report, and unchanged for programs', () => {
    const text = ctrfReport(report);
    expectVisible(text);
    expect(JSON.parse(text)).toMatchObject({ results: { tests: [{ name: payload }, {}, {}] } });
  });

  it('is no markup in the summary of GitHub', () => {
    const text = githubSummary(report);
    expectVisible(text);
    for (const line of text.split('\n').filter((one) => one.startsWith('|')))
      expect(line.replaceAll(/\\\||`[^`]*`/g, '').match(/\|/g)).toHaveLength(6);
  });

  it('is data in the HTML report, and no markup', async () => {
    for (const one of [report, passed]) {
      const html = await htmlReport(one);
      // The script of the page has no trace of the report; it is known by its hash.
      const text = html.replace(/<script>[\s\S]*<\/script>/, '').replace(/<style>[\s\S]*?<\/style>/, '');
      expect(text.replaceAll('\n', '')).not.toMatch(hidden);
      const data = /<script type="application\/json" id="page-data">([^<>]*)<\/script>/.exec(text)?.[1] ?? '';
      expect(data).not.toMatch(/[<>&]/);
      expect(JSON.parse(data)).toMatchObject({ title: payload });
      const title = /<title>([^<]*)<\/title>/.exec(text)?.[1] ?? '';
      expect(title.replaceAll(/&(?:amp|lt|gt|quot|#10);/g, '')).not.toMatch(/[<>&"]/);
      expect(text.match(/<[a-z/!][^>]*>/g)).toEqual([
        ...['<!doctype html>', '<html lang="en">', '<meta charset="utf-8">'],
        expect.stringMatching(/^<meta http-equiv="Content-Security-Policy" /),
        expect.stringMatching(/^<meta name="viewport" /),
        expect.stringMatching(/^<meta name="color-scheme" /),
        ...['<title>', '</title>', expect.stringMatching(/^<link rel="icon" href="data:/)],
        ...['<div id="page">', '<noscript>', '</noscript>', '</div>'],
        ...['<script type="application/json" id="page-data">', '</script>', '</html>'],
      ]);
    }
  });

  it('makes no workflow command of its own in the GitHub report', () => {
    for (const one of [report, passed]) {
      const lines = githubReport(one).trimEnd().split('\n');
      expect(lines).toHaveLength(one === report ? 4 : 1);
      for (const line of lines) {
        const [, message = ''] =
          /^::(?:error|warning|notice) title=(?:[^:,\n]|%3A|%2C)*::(.*)$/.exec(line) ?? [];
        expect(message).not.toBe('');
        expectVisible(message);
      }
    }
  });

  it('is visible in the output of drift, and no markup in Markdown', () => {
    const { kind, expected, actual } = finding;
    const difference = { kind, expected, actual } as const;
    const [group] = driftGroups as readonly [DriftGroup, ...DriftGroup[]];
    const path = [payload, 0, payload];
    const changes = [
      { group, kind, path, difference, scenarios: [payload] },
      {
        group,
        kind: 'renamed',
        path,
        difference: { kind: 'renamed', from: payload, to: payload },
        scenarios: [],
      },
      { group: 'prompts', kind, path, difference, scenarios: [] },
    ] as const;
    const scenarios = new Map([[payload, 'http'] as const, ['other', 'websocket'] as const]);
    const drifts = [{ from: payload, to: payload, scenarios, changes }];
    expectVisible(driftFormats.text(drifts));
    expectVisible(driftFormats.json(drifts));
    const markdown = driftFormats.markdown(drifts);
    expectVisible(markdown);
    // Without code and escapes, only the markup of the report is left.
    const left = markdown.replaceAll(/`[^`\n]*`/g, '').replaceAll(/\\[\\`*_[\]<>&|~#@!]/g, '');
    expect(left.replaceAll(/^#{2,3} /gm, '')).not.toMatch(/[`*_[\]<>&|~#@!]/);
    expect(left.split('\n').filter((line) => line.startsWith('#'))).toHaveLength(2 + 0 + 1);
  });

  it('is visible in the listing of a golden', () => {
    const exchange = exchangeOf([
      message('client', JSON.stringify({ [payload]: [payload, 'a'.repeat(100)] })),
      message('backend', JSON.stringify({ type: payload, a: payload })),
    ]);
    const headers = [[payload, jsonString(payload)]] as const;
    const request = { ...exchange.request, method: payload, target: jsonString(payload), headers };
    const connection = {
      ...exchange.connection,
      authority: payload,
      tls: { offered: [payload], chosen: null },
    };
    const name = payload;
    const variable = { name, kind: 'hex', number: false, distinct: undefined, lifetime: undefined } as const;
    const golden: Golden = {
      ...id,
      runs: 2,
      varied: [payload],
      variables: new Map([[name, variable]]),
      exchanges: [{ ...exchange, connection, request }],
    };
    expectVisible(goldenListing(golden, { full: true, expanded: new Set(['client', 'backend']) }));
  });

  it('is visible in what a live session has of its own, and in the result of bench-tier', () => {
    const values = { expected: payload, actual: payload };
    expectVisible(informationText(payload, { type: 'setting', name: 'model', ...values }));
    expectVisible(informationText(payload, { type: 'difference', name: payload, places: finding.places }));
    const tally = [{ value: payload, count: 1 }];
    const tiers = [
      {
        sentTiers: tally,
        sentHints: tally,
        echoed: tally,
        runs: 1,
        failures: [payload],
        firstTokenMs: null,
        totalMs: null,
      },
    ].map((summary) => ({
      ...{ tier: 'priority' as const, connection: 'new' as const },
      transports: [{ value: payload, count: 1 }],
      httpCauses: [{ value: payload, count: 1 }],
      ...summary,
    }));
    const measured: TierReport = {
      ...{
        codex: payload,
        lane: payload,
        backend: 'live',
        upstream: payload,
        model: payload,
        prompt: payload,
      },
      tiers,
    };
    expectVisible(tierText(measured));
    expectVisible(tierJson(measured));
  });
});

/** What a command prints. */
async function printed(work: () => unknown): Promise<string> {
  const parts: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    parts.push(String(text));
    return true;
  });
  const error = vi.spyOn(console, 'error').mockImplementation((...texts) => {
    parts.push(`${texts.join(' ')}\n`);
  });
  try {
    await work();
    return parts.join('');
  } finally {
    write.mockRestore();
    error.mockRestore();
  }
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'parity-escape-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** Without the characters that no path has. */
const name = all.replaceAll(/[\0/\ud800-\udfff]/gu, '').slice(0, 60);

describe('commands print what they read so that it is visible', () => {
  const exchange = exchangeOf([message('client', JSON.stringify({ [all]: all }))]);
  const events: readonly TraceEvent[] = [
    { ...exchange.connection, authority: all },
    { ...exchange.request, headers: [[all, jsonString(all)]] },
    ...exchange.steps,
    { type: 'undecodable', connection: 1, from: 'client', reason: all },
  ];
  const golden = (codex: string, text: string): Golden => ({
    ...{ codex, lane: 'chatgpt', scenario: 'fast', runs: 2, varied: [] },
    variables: new Map(),
    exchanges: [exchangeOf([message('client', JSON.stringify({ [text]: text, b: text }))])],
  });

  it('show, diff', async () => {
    const path = folder();
    const trace = createTrace(join(path, 'a.trace.jsonl'), {});
    for (const event of events) trace.write(event);
    trace.finish();
    writeFileSync(join(path, 'a.golden.jsonl'), printGolden(golden(all, 'b')));
    for (const file of ['a.trace.jsonl', 'a.golden.jsonl'])
      expectVisible(await printed(() => run(['show', join(path, file)])));
    const output = await printed(() =>
      run(['diff', join(path, 'a.golden.jsonl'), join(path, 'a.trace.jsonl')]),
    );
    expect(output).toContain('no parity');
    expectVisible(output);
  });

  it.each(['text', 'markdown', 'json'])('drift as %s', async (format) => {
    const path = folder();
    for (const version of ['0.1.0', '0.2.0']) {
      mkdirSync(join(path, version, 'chatgpt'), { recursive: true });
      const text = version === '0.1.0' ? 'b' : all.replaceAll('{', '');
      writeFileSync(join(path, version, 'chatgpt', 'fast.golden.jsonl'), printGolden(golden(version, text)));
    }
    const output = await printed(() =>
      run(['drift', '0.1.0', '0.2.0', '--goldens', path, '--format', format]),
    );
    expect(output).toContain('0.2.0');
    expectVisible(output);
  });

  it('errors', async () => {
    const config = folder();
    writeFileSync(join(config, name), JSON.stringify({ format: all }));
    for (const args of [
      ['show', name],
      ['show', join(config, name)],
      [name],
      ['drift', name, name],
      ['drift', '0.1.0', '0.2.0', '--goldens', join(config, name)],
      ['check', '--subject', name],
      ['check', '--report', name],
      ['check', '--codex', name],
      ['record', '--codex', '0.169.0', '--lane', name],
      ['show', `--${name}`],
    ]) {
      const output = await printed(() => run(args));
      expect(output).toMatch(/^codex-parity: [^\n]*\n$/);
      expectVisible(output);
    }
  });

  it('progress, and the table of doctor', async () => {
    expectVisible(await printed(() => progress(`${all}\n${all}`)));
    vi.stubEnv('npm_config_registry', `http://127.0.0.1:1/${name}`);
    vi.stubEnv('XDG_CACHE_HOME', `/tmp/${name}`);
    vi.stubEnv('XDG_STATE_HOME', `/tmp/${name}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    const output = await printed(() => run(['doctor']));
    expect(output).toContain('registry');
    expectVisible(output);
  });
});

it('leaves ordinary text alone', () => {
  for (const text of [
    'a › b',
    'é ü 漢字 🙂',
    'std::vector',
    '# a: `b` | c',
    '  indented',
    'a\\u001b',
    '100 %',
  ])
    expect(terminalLine(text)).toBe(text);
  expect(markdownText('0.169.0 → second-turn, provider-openai/fast')).toBe(
    '0.169.0 → second-turn, provider-openai/fast',
  );
});
