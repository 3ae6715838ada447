import { expect, it } from 'vitest';
import { codeOf } from '../../src/diff/cause-code.ts';
import type { Finding } from '../../src/diff/finding.ts';
import { severityOf } from '../../src/diff/severity.ts';
import { allUnfinished, verdictOf } from '../../src/diff/verdict.ts';
import { firstScreen } from '../../src/report/first-screen.ts';
import { githubReport } from '../../src/report/github.ts';
import { jsonReport } from '../../src/report/json.ts';
import { junitReport } from '../../src/report/junit.ts';
import { goldenListing } from '../../src/report/listing.ts';
import type { Report } from '../../src/report/report.ts';
import { reportSchema } from '../../src/report/report-schema.ts';
import { textReport, wordsOf } from '../../src/report/text.ts';
import { parseJson } from '../../src/wire/json.ts';
import { sampleGolden } from '../golden/sample-run.ts';

const finding: Finding = {
  comparison: 'parity',
  also: ['response neutrality'],
  kind: 'disagrees',
  places: [
    { exchange: 1, side: 'client', part: 'handshake', path: ['session-id'] },
    { exchange: 1, side: 'client', part: 'message', number: 2, path: ['prompt_cache_key'] },
  ],
  variable: 'session_id',
  value: 'a',
  valueAt: { exchange: 1, side: 'client', part: 'message', number: 1, path: ['prompt_cache_key'] },
  valueHere: 'b',
};
const nasty: Finding = {
  comparison: 'request neutrality',
  kind: 'added',
  places: [{ exchange: 1, side: 'client', part: 'message', number: 1, path: ['a<b>&"c"\n::error::x'] }],
  actual: { type: 'request', method: '100 % ]]> \u0000\u001b[31m', target: '\r\n' },
};
const scenario = { codex: '0.169.0', lane: 'chatgpt', scenario: 'fast' };
const clean: Report = {
  subject: 'mine',
  driver: 'replay',
  scenarios: [{ ...scenario, ...verdictOf([], {}) }],
};
const broken: Report = {
  subject: 'mine',
  driver: 'codex',
  scenarios: [
    { ...scenario, ...verdictOf([finding, nasty], {}) },
    { ...scenario, scenario: 'default', ...verdictOf([], {}) },
  ],
};

it('shows parity alone where the subject is a client, and lists what is its own', () => {
  const report: Report = {
    subject: 'mine',
    driver: 'client',
    scenarios: [
      {
        ...scenario,
        ...verdictOf([], {}, ['parity']),
        information: [
          { type: 'setting', name: 'model', expected: 'gpt-5', actual: 'small' },
          { type: 'difference', name: 'tools', places: nasty.places.slice(0, 1) },
          { type: 'further', exchanges: 2, messages: 0 },
        ],
      },
    ],
  };
  expect(firstScreen(report)).toBe(
    'mine vs codex 0.169.0 · parity in 1 scenario · driver client\n' +
      'note: its own, and not judged: tools, model small (golden: gpt-5), 2 requests to another model\n',
  );
  expect(textReport(report).split('\n').slice(0, 2)).toEqual([
    'codex            scenario  parity',
    '0.169.0 chatgpt  fast      ok',
  ]);
  expect(textReport(report)).toContain('information: 0.169.0 fast › model: small (golden: gpt-5)');
  expect(junitReport(report)).toContain('tests="1" failures="0"');
  expect(reportSchema.parse(JSON.parse(jsonReport(report))).scenarios[0]).toMatchObject({
    comparisons: { parity: { type: 'ok' } },
    information: report.scenarios[0]?.information,
  });
});

it('prints a table, the findings and the verdict as text', () => {
  expect(textReport(broken)).toMatchInlineSnapshot(`
    "codex            scenario  parity     request neutrality  response neutrality
    0.169.0 chatgpt  fast      1 finding  1 finding           1 finding
    0.169.0 chatgpt  default   ok         ok                  ok

    breaks: 0.169.0 fast › exchange 1 › handshake › session-id: disagrees
      also at  exchange 1 › client message 2 › prompt_cache_key
      expected session_id, which is a at exchange 1 › client message 1 › prompt_cache_key
      actual   b
      why      a conversation has one identity, the same in headers, body and turn metadata
      code     session/header-inconsistent
      breaks   response neutrality too

    breaks: 0.169.0 fast › exchange 1 › client message 1 › a<b>&"c"\\u000a::error::x: added
      actual   100 % ]]> \\u0000\\u001b[31m \\u000d\\u000a
      why      the content of the request reached the backend changed
      code     request/member-added

    no parity: 2 findings for mine (2 scenarios, driver codex)
    "
  `);
});

it('prints parity in one line', () => {
  expect(textReport(clean)).toMatchInlineSnapshot(`
    "codex            scenario  parity  request neutrality  response neutrality
    0.169.0 chatgpt  fast      ok      ok                  ok

    parity: mine sends what the official client sends (1 scenario, driver replay)
    "
  `);
});

const dead = allUnfinished({ type: 'failed', reason: 'it died; it last printed: \u001b[31m<oops>' });
const idle = allUnfinished({ type: 'not checked', reason: 'not for programs' });
const partial: Report = {
  subject: 'mine',
  driver: 'replay',
  scenarios: [
    { ...scenario, ...verdictOf([], {}) },
    { ...scenario, scenario: 'default', ...verdictOf([finding], dead) },
    ...['review', 'steering', 'resume', 'subagent'].map((name) => ({
      ...scenario,
      scenario: name,
      ...verdictOf([], idle),
    })),
    {
      ...scenario,
      scenario: 'flex',
      ...verdictOf([], { 'request neutrality': { type: 'not checked', reason: 'another API' } }),
    },
  ],
};

it('reports what failed or was not checked with a verdict of its own, never as ok', () => {
  expect(textReport(partial)).toMatchInlineSnapshot(`
    "codex            scenario  parity       request neutrality  response neutrality
    0.169.0 chatgpt  fast      ok           ok                  ok
    0.169.0 chatgpt  default   1 finding    failed              1 finding
    0.169.0 chatgpt  review    not checked  not checked         not checked
    0.169.0 chatgpt  steering  not checked  not checked         not checked
    0.169.0 chatgpt  resume    not checked  not checked         not checked
    0.169.0 chatgpt  subagent  not checked  not checked         not checked
    0.169.0 chatgpt  flex      ok           not checked         ok

    breaks: 0.169.0 default › exchange 1 › handshake › session-id: disagrees
      also at  exchange 1 › client message 2 › prompt_cache_key
      expected session_id, which is a at exchange 1 › client message 1 › prompt_cache_key
      actual   b
      why      a conversation has one identity, the same in headers, body and turn metadata
      code     session/header-inconsistent
      breaks   response neutrality too

    failed: 0.169.0 default: it died; it last printed: \\u001b[31m<oops>

    not checked: 0.169.0 review, 0.169.0 steering, 0.169.0 resume, 1 more: not for programs

    not checked: 0.169.0 flex (request neutrality): another API

    no parity: 1 finding and 1 failed scenario for mine (7 scenarios, 4 not checked, driver replay)
    "
  `);
  expect(githubReport(partial)).toMatchInlineSnapshot(`
    "::error title=codex-parity%3A session/header-inconsistent::session_id is not the same everywhere (1 of 3)%0Aat: exchange 1 › handshake › session-id%0Aexpected: session_id, which is a at exchange 1 › client message 1 › prompt_cache_key%0Aactual: b%0Awhy: a conversation has one identity, the same in headers, body and turn metadata%0Afix: Send the id of the session in session-id, thread-id and x-client-request-id, as the golden does, and keep it for the whole session.
    ::error title=codex-parity%3A 0.169.0 default%3A failed::it died; it last printed: \\u001b[31m<oops>
    ::notice title=codex-parity%3A 0.169.0 review%2C 0.169.0 steering%2C 0.169.0 resume%2C 1 more%3A not checked::not for programs
    ::notice title=codex-parity%3A 0.169.0 flex (request neutrality)%3A not checked::another API
    "
  `);
  const xml = junitReport(partial);
  expect(xml).toContain('fast" tests="3" failures="0" errors="0" skipped="0"');
  expect(xml).toContain('default" tests="3" failures="2" errors="1" skipped="0"');
  expect(xml).toContain('review" tests="3" failures="0" errors="0" skipped="3"');
  expect(xml).toContain('<error message="it died; it last printed: \\u001b[31m&lt;oops&gt;"/>');
  expect(xml).toContain('<skipped message="not for programs"/>');
  const json = JSON.parse(jsonReport(partial));
  expect(json).toMatchObject({ parity: false });
  expect(json.scenarios.map(({ verdict }: { verdict: object }) => verdict)).toMatchObject([
    { type: 'ok' },
    { type: 'failed', reason: expect.stringContaining('it died') },
    ...Array.from({ length: 4 }, () => ({ type: 'not checked', reason: 'not for programs' })),
    { type: 'ok' },
  ]);
  expect(json.scenarios[1].comparisons).toMatchObject({
    parity: { type: 'findings' },
    'request neutrality': { type: 'failed' },
  });
});

it('reports parity if what was checked has no finding', () => {
  const report = { ...partial, scenarios: partial.scenarios.filter(({ findings }) => findings.length === 0) };
  expect(textReport(report)).toContain('(6 scenarios, 4 not checked, driver replay)\n');
  expect(JSON.parse(jsonReport(report))).toMatchObject({ parity: true });
  expect(githubReport(report)).toContain('::notice title=codex-parity::mine: parity\n');
});

it('notes what the client itself sent differently, in one line for all scenarios', () => {
  const client = { count: 13, model: 'another-model' };
  const report: Report = {
    ...clean,
    scenarios: ['fast', 'default'].map((name) => ({
      ...scenario,
      scenario: name,
      ...verdictOf([], {}),
      client,
    })),
  };
  const note =
    '0.169.0 fast, 0.169.0 default: your /models made the client speak as another-model: 13 differences are its own, and parity is judged on the rest\n';
  expect(textReport(report)).toContain(`\n\nnote: ${note}\nparity: mine`);
  expect(githubReport(report)).toContain(`::notice title=codex-parity::${note}`);
  expect(JSON.parse(jsonReport(report)).scenarios[0]).toMatchObject({ client, verdict: { type: 'ok' } });
});

it('writes findings as data and in words to JSON, with the verdict', () => {
  const [fast, byDefault] = broken.scenarios;
  expect(JSON.parse(jsonReport(broken))).toEqual({
    format: 'codex-parity/report',
    version: 3,
    parity: false,
    passed: false,
    subject: 'mine',
    driver: 'codex',
    causes: [
      {
        code: 'session/header-inconsistent',
        severity: 'breaks',
        name: 'session_id',
        comparisons: ['parity', 'response neutrality'],
        words: {
          title: 'session_id is not the same everywhere',
          where: '1 of 2',
          effect: 'breaks sessions and cache affinity',
          fix: expect.any(String),
          place: 'exchange 1 › handshake › session-id',
          expected: 'session_id, which is a at exchange 1 › client message 1 › prompt_cache_key',
          actual: 'b',
          why: wordsOf(finding).why,
        },
        cells: [{ ...scenario, places: finding.places }],
      },
      expect.objectContaining({
        code: 'request/member-added',
        cells: [{ ...scenario, places: nasty.places }],
      }),
    ],
    scenarios: [
      {
        ...fast,
        findings: [finding, nasty].map((one) => ({
          code: codeOf(one),
          severity: severityOf(one),
          ...one,
          words: wordsOf(one),
        })),
      },
      byDefault,
    ],
  });
  expect(JSON.parse(jsonReport(clean))).toMatchObject({ parity: true });
});

it('writes JSON values as their JSON text', () => {
  const changed: Finding = {
    comparison: 'parity',
    kind: 'changed',
    places: [{ exchange: 1, side: 'client', part: 'body', path: ['a'] }],
    expected: { type: 'json', node: parseJson('{"a":1.0,"a":"\\u00e9"}').node },
    actual: {
      type: 'members',
      members: [{ path: ['b', 0], value: parseJson('[null]').node }, { path: ['c'] }],
    },
  };
  const report = { ...clean, scenarios: [{ ...scenario, ...verdictOf([changed], {}) }] };
  expect(JSON.parse(jsonReport(report)).scenarios[0].findings[0]).toMatchObject({
    expected: { type: 'json', node: '{"a":1.0,"a":"\\u00e9"}' },
    actual: { type: 'members', members: [{ path: ['b', 0], value: '[null]' }, { path: ['c'] }] },
  });
});

it('writes JUnit XML with a test case for each comparison', () => {
  expect(junitReport({ ...broken, scenarios: broken.scenarios.slice(0, 1) })).toMatchInlineSnapshot(`
    "<?xml version="1.0" encoding="UTF-8"?>
    <testsuites>
      <testsuite name="mine 0.169.0 chatgpt fast" tests="3" failures="3" errors="0" skipped="0">
        <testcase classname="mine 0.169.0 chatgpt fast" name="parity">
          <failure message="session/header-inconsistent at exchange 1 › handshake › session-id">breaks: fast › exchange 1 › handshake › session-id: disagrees&#10;  also at  exchange 1 › client message 2 › prompt_cache_key&#10;  expected session_id, which is a at exchange 1 › client message 1 › prompt_cache_key&#10;  actual   b&#10;  why      a conversation has one identity, the same in headers, body and turn metadata&#10;  code     session/header-inconsistent&#10;  breaks   response neutrality too</failure>
        </testcase>
        <testcase classname="mine 0.169.0 chatgpt fast" name="request neutrality">
          <failure message="request/member-added at exchange 1 › client message 1 › a&lt;b&gt;&amp;&quot;c&quot;\\u000a::error::x">breaks: fast › exchange 1 › client message 1 › a&lt;b&gt;&amp;&quot;c&quot;\\u000a::error::x: added&#10;  actual   100 % ]]&gt; \\u0000\\u001b[31m \\u000d\\u000a&#10;  why      the content of the request reached the backend changed&#10;  code     request/member-added</failure>
        </testcase>
        <testcase classname="mine 0.169.0 chatgpt fast" name="response neutrality">
          <failure message="session/header-inconsistent at exchange 1 › handshake › session-id">breaks: fast › exchange 1 › handshake › session-id: disagrees&#10;  also at  exchange 1 › client message 2 › prompt_cache_key&#10;  expected session_id, which is a at exchange 1 › client message 1 › prompt_cache_key&#10;  actual   b&#10;  why      a conversation has one identity, the same in headers, body and turn metadata&#10;  code     session/header-inconsistent&#10;  breaks   response neutrality too</failure>
        </testcase>
      </testsuite>
    </testsuites>
    "
  `);
});

it.each([clean, broken])('writes well-formed XML', (report) => {
  const xml = junitReport({ ...report, subject: '<&"\'>\t\u0007\ud800\ufffe' });
  const open: string[] = [];
  const attribute = /\s+[a-z]+="(?:[^<&"\n\t\r]|&(?:amp|lt|gt|quot|#9|#10|#13);)*"/;
  const token = new RegExp(`<(/?)([a-z]+)((?:${attribute.source})*)(/?)>|<\\?xml[^>]*\\?>|([^<>]+)`, 'y');
  while (token.lastIndex < xml.length) {
    const found = token.exec(xml);
    if (found === null) throw new Error(`no XML at ${xml.slice(token.lastIndex)}`);
    const [, end, name, , empty, text] = found;
    if (text !== undefined) expect(text.replaceAll(/&(?:amp|lt|gt|quot|#9|#10|#13);/g, '')).not.toMatch(/&/);
    if (name === undefined || empty === '/') continue;
    if (end === '/') expect(open.pop()).toBe(name);
    else open.push(name);
  }
  expect(open).toEqual([]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may stand in XML 1.0
  expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/);
  expect(xml.isWellFormed()).toBe(true);
});

it('writes one GitHub command per finding, with percent signs and line ends escaped', () => {
  expect(githubReport(broken)).toMatchInlineSnapshot(`
    "::error title=codex-parity%3A session/header-inconsistent::session_id is not the same everywhere (1 of 2)%0Aat: exchange 1 › handshake › session-id%0Aexpected: session_id, which is a at exchange 1 › client message 1 › prompt_cache_key%0Aactual: b%0Awhy: a conversation has one identity, the same in headers, body and turn metadata%0Afix: Send the id of the session in session-id, thread-id and x-client-request-id, as the golden does, and keep it for the whole session.
    ::error title=codex-parity%3A request/member-added::a<b>&"c"\\u000a::error::x: 100 %25 ]]> \\u0000\\u001b[31m \\u000d\\u000a added (1 of 2)%0Aat: exchange 1 › client message 1 › a<b>&"c"\\u000a::error::x%0Aexpected: nothing%0Aactual: 100 %25 ]]> \\u0000\\u001b[31m \\u000d\\u000a%0Awhy: the content of the request reached the backend changed%0Afix: Pass on the members of a request unchanged, and add none. The backend refuses members that it does not know.
    "
  `);
});

it('writes a GitHub notice for parity', () => {
  expect(githubReport(clean)).toBe('::notice title=codex-parity::mine: parity\n');
});

const listed = { full: false, expanded: new Set(['client'] as const) };

it('lists the number of runs of a golden, and what varied between them if known', () => {
  const about = 'golden: codex 0.169.0, lane chatgpt, scenario mini, learned from 3 runs\n';
  expect(goldenListing({ ...sampleGolden(), varied: ['cwd', 'time zone'] }, listed)).toMatch(
    new RegExp(`^${about}varied between the runs: cwd, time zone\n\nvariables`),
  );
  expect(goldenListing(sampleGolden(), listed)).toMatch(new RegExp(`^${about}\nvariables`));
});

it('lists who ended a connection', () => {
  const golden = sampleGolden();
  const ended = golden.exchanges.map((exchange) => ({ ...exchange, end: 'client' as const }));
  expect(goldenListing({ ...golden, exchanges: ended }, listed)).toMatch(
    /\n\nconnection 1 ended by the client$/,
  );
  expect(goldenListing(golden, listed)).not.toContain('ended by');
});
