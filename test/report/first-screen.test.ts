import { expect, it } from 'vitest';
import type { Finding } from '../../src/diff/finding.ts';
import { fold } from '../../src/diff/fold.ts';
import { reportCauses } from '../../src/diff/report-causes.ts';
import { allUnfinished, verdictOf } from '../../src/diff/verdict.ts';
import { jsonValue, type Place } from '../../src/golden/match/mismatch.ts';
import { causeWriter } from '../../src/report/cause-words.ts';
import { firstScreen, plainScreen } from '../../src/report/first-screen.ts';
import { githubReport, githubSummary } from '../../src/report/github.ts';
import type { Report, ReportedScenario } from '../../src/report/report.ts';
import { jsonString } from '../../src/wire/json.ts';

const header = (name: string): Place => ({ exchange: 1, side: 'client', part: 'handshake', path: [name] });
const message = (...path: (string | number)[]): Place => ({
  ...{ exchange: 1, side: 'client', part: 'message', number: 1, path },
});
const value = (text: string) => jsonValue(jsonString(text));
const renamed: Finding = {
  ...{ comparison: 'parity', kind: 'renamed', places: [header('session-id')], from: 'session-id' },
  to: 'session_id',
};
const hint: Finding = {
  ...{ comparison: 'parity', kind: 'missing', places: [header('x-codex-routing-hint')] },
  expected: value('model=m;tier=priority'),
};
const instructions: Finding = {
  ...{ comparison: 'parity', also: ['request neutrality'], kind: 'added' },
  ...{ places: [message('instructions')], actual: value('Answer in rhymes.') },
};
const order: Finding = {
  ...{ comparison: 'parity', kind: 'moved', places: [header('b')] },
  order: { moved: ['d', 'c'], expected: ['a', 'd', 'c', 'b'], actual: ['a', 'b', 'c', 'd'] },
};
const agent: Finding = {
  ...{ comparison: 'parity', kind: 'changed', places: [header('user-agent')] },
  ...{ expected: value('codex_exec/0.169.0'), actual: value('proxy/1.0') },
};
const prompt: Finding = {
  ...{ comparison: 'parity', kind: 'changed', places: [message('input', 0, 'content', 0, 'text')] },
  expected: value(`<<sealed 100 ${'a'.repeat(64)}>>`),
  actual: value(`<<sealed 129 ${'b'.repeat(64)}>>`),
};

const names = ['default', 'fast', 'http-fallback', 'http-tool-turn', 'resume', 'review', 'tool-turn'];
const scenarios = (findingsOf: (name: string) => readonly Finding[]): ReportedScenario[] =>
  names.map((scenario) => ({
    ...{ codex: '0.169.0', lane: 'chatgpt', scenario },
    transport: scenario.startsWith('http') ? 'http' : 'websocket',
    ...verdictOf(findingsOf(scenario), {}),
  }));
const report = (all: readonly ReportedScenario[]): Report => ({
  ...{ subject: 'mine', driver: 'replay', scenarios: all },
});

it('shows the causes by harm, with the scenarios that show them', () => {
  const sender = { announces: '0.146.0', fits: ['0.118.0', '0.130.0'], shownBy: ['session_id'] };
  const all = scenarios((name) => [
    ...[agent, renamed],
    ...(name.startsWith('http') ? [] : [order]),
    ...(name === 'resume' || name === 'review' ? [] : [hint]),
    ...(name.startsWith('http') ? [instructions] : []),
    ...(name === 'fast' ? [prompt] : []),
  ]).map((one): ReportedScenario => ({ ...one, sender }));
  const idle = allUnfinished({ type: 'not checked', reason: 'the driver cannot' });
  const dead = allUnfinished({ type: 'failed', reason: 'it died' });
  const id = { codex: '0.169.0', lane: 'chatgpt' };
  const screen = firstScreen(
    report([
      ...all,
      { ...id, scenario: 'steering', ...verdictOf([], idle) },
      { ...id, scenario: 'upgrade-404', ...verdictOf([], dead) },
    ]),
  );
  expect(screen).toMatchInlineSnapshot(`
    "mine vs codex 0.169.0 · 6 causes in 8 scenarios · 1 failed · 1 not checked
    Version   looks like 0.118.0–0.130.0 (session_id), announces 0.146.0
    ✗ session/header-renamed      session-id sent as session_id                         all 7                 breaks sessions and cache affinity
    ✗ tier/hint-missing           x-codex-routing-hint missing                          all but 2             priority may be ignored
    ✗ content/instructions-added  instructions: "Answer in rhymes." added               all 2 over HTTP       the model reads other instructions
    ✗ content/input-changed       content.text: 29 bytes longer                         1 of 7                the model reads another input
    ! client/name-changed         user-agent: "proxy/1.0" instead of "codex_exec/0.16…  all 7                 shows another client
        expected  "codex_exec/0.169.0"
        actual    "proxy/1.0"
    ~ shape/header-order          headers in another order: sorted by name              all 5 over websocket
        official client  subject
        a                a
        d                b
        c                c
        b                d
    ✗ scenario/failed  0.169.0 upgrade-404: it died
    ? not checked  0.169.0 steering: the driver cannot
    Next: codex-parity explain session/header-renamed · --verbose prints every place
    "
  `);
});

it.each([
  ['token', 'authorization repeats an earlier value'],
  ['account_id', 'token has the value of account_id'],
])('says of which value a repeated one is: %s', (otherVariable, title) => {
  const repeated: Finding = {
    ...{ comparison: 'parity', kind: 'repeated', places: [header('authorization')] },
    ...{ variable: 'token_2', otherVariable, value: 'a' },
  };
  const id = { codex: '0.169.0', lane: 'chatgpt', scenario: 'token-refresh' };
  expect(firstScreen(report([{ ...id, ...verdictOf([repeated], {}) }]))).toContain(
    `✗ account/credentials-repeated  ${title}  1 of 1`,
  );
});

it.each([
  [['fast'], [], 'mine vs codex 0.169.0 · the scenario failed'],
  [['fast', 'flex'], [], 'mine vs codex 0.169.0 · all 2 scenarios failed'],
  // A subject that does not start: the others are not tried.
  [['fast', 'flex'], ['default'], 'mine vs codex 0.169.0 · all 2 scenarios failed · 1 not checked'],
])('says that all of %j failed, without %j', (failed, skipped, line) => {
  const scenariosOf = (names: readonly string[], type: 'failed' | 'not checked') =>
    names.map((scenario): ReportedScenario => {
      const verdicts = verdictOf([], allUnfinished({ type, reason: 'it died' }));
      return { codex: '0.169.0', lane: 'chatgpt', scenario, ...verdicts };
    });
  const all = [...scenariosOf(failed, 'failed'), ...scenariosOf(skipped, 'not checked')];
  expect(firstScreen(report(all)).split('\n')[0]).toBe(line);
});

it('fits forty lines for a dozen causes, and says how many more there are', () => {
  const headers = (count: number) =>
    Array.from({ length: count }, (_, at): Finding => ({ ...agent, places: [header(`x-${at}`)] }));
  const lines = (count: number) =>
    firstScreen(report(scenarios(() => [order, ...headers(count)]))).split('\n');
  expect(lines(12).length).toBeLessThanOrEqual(40);
  expect(lines(12).join('\n')).toContain('x-11: "proxy/1.0"');
  expect(lines(100).length).toBeLessThanOrEqual(41);
  expect(lines(100).join('\n')).toContain('… and 75 further causes: --verbose prints them');
});

it('shows names that are missing or added together in one row', () => {
  const added = ['a', 'b', 'c', 'd', 'e'].map(
    (name): Finding => ({ ...instructions, places: [header(`x-${name}`)] }),
  );
  const lines = firstScreen(report(scenarios(() => [hint, ...added]))).split('\n');
  expect(lines[0]).toContain('6 causes');
  expect(lines[2]).toBe('~ shape/header-added  x-a, x-b, x-c, 2 more: added  all 7  visible to the backend');
  expect(lines[3]).toBe('    x-a, x-b, x-c, x-d, x-e');
  expect(lines).toHaveLength(6);
});

it('cuts lines to the width of a terminal, and paints only there', () => {
  const painted: string[] = [];
  const narrow = {
    width: 80,
    paint: (colour: string, text: string) => {
      painted.push(colour);
      return text;
    },
  };
  const text = firstScreen(report(scenarios(() => [instructions, renamed, order])), narrow);
  expect(
    Math.max(
      ...text
        .split('\n')
        .slice(0, -2)
        .map(({ length }) => length),
    ),
  ).toBeLessThanOrEqual(80);
  expect(new Set(painted)).toEqual(new Set(['red', 'bold', 'dim']));
  expect(firstScreen(report(scenarios(() => [])), plainScreen)).toBe(
    'mine vs codex 0.169.0 · parity in 7 scenarios\n',
  );
});

it('folds scenarios', () => {
  const all = new Map([
    ...['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => [name, 'websocket'] as const),
    ...['x', 'y'].map((name) => [name, 'http'] as const),
  ]);
  const shown = (text: string) => fold(new Set(text), all);
  expect(shown('abcdefghxy')).toEqual({ type: 'all', total: 10 });
  expect(shown('xy')).toEqual({ type: 'all over', transport: 'http', total: 2 });
  expect(shown('abcdefgh')).toEqual({ type: 'all over', transport: 'websocket', total: 8 });
  expect(shown('bcdefghxy')).toEqual({ type: 'all but', others: ['a'] });
  expect(shown('ax')).toEqual({ type: 'some', shown: ['a', 'x'], total: 10 });
});

it('gives GitHub ten annotations at most, and all causes in the summary', () => {
  const many = Array.from({ length: 14 }, (_, at): Finding => ({ ...hint, places: [header(`x-${at}`)] }));
  const one = report(scenarios(() => many));
  const lines = githubReport(one).trimEnd().split('\n');
  expect(lines).toHaveLength(10);
  expect(lines.at(-1)).toBe(
    '::notice title=codex-parity%3A 5 further annotations::The summary of the step has all causes.',
  );
  expect(githubSummary(one).match(/x-\d+ missing/g)).toHaveLength(14);
});

it('says how a subject refuses its client, even where nothing reached its upstream', () => {
  const refused: Finding = {
    ...{
      comparison: 'parity',
      kind: 'missing',
      places: [{ exchange: 1, side: 'client', part: 'exchange', path: [] }],
    },
    expected: { type: 'request', method: 'GET', target: '/responses' },
    instead: {
      ...{ type: 'subject behaviour', requests: [] },
      refusal: { method: 'GET', status: 503, text: '{"error":{"message":"No available accounts"}}' },
    },
    cause: { type: 'nothing upstream', subject: 'mine', url: 'http://127.0.0.1' },
  };
  const [, line, reason] = firstScreen(report(scenarios(() => [refused]))).split('\n');
  expect(line).toBe(
    '✗ setup/refused  the subject refused its client: 503 No available accounts  all 7  the scenario ended there',
  );
  expect(reason).toMatch(/^ {4}it has no account .* \(start: per-scenario\)$/);
  const [cause] = reportCauses(report(scenarios(() => [refused])).scenarios);
  expect(cause === undefined ? '' : causeWriter(report([]))(cause).why).toBe(reason?.trim());
});

it.each([
  [{ method: 'GET', status: 404, text: 'page not found' }, /no Responses API at this path: correct "path"/],
  [{ method: 'POST', status: 405, text: '' }, /no POST at this path: .* or the path of --subject-url$/],
  [undefined, /the upstream of mine must be http:\/\/127\.0\.0\.1:9100$/],
])('says on the first screen what to correct in the setup: %j', (refusal, expected) => {
  const finding: Finding = {
    ...{
      comparison: 'parity',
      kind: 'missing',
      places: [{ exchange: 1, side: 'client', part: 'exchange', path: [] }],
    },
    expected: { type: 'request', method: 'GET', target: '/responses' },
    ...(refusal && { instead: { type: 'subject behaviour', requests: [], refusal } }),
    cause: { type: 'nothing upstream', subject: 'mine', url: 'http://127.0.0.1:9100' },
  };
  const [, , reason] = firstScreen(report(scenarios(() => [finding])), { ...plainScreen, width: 80 }).split(
    '\n',
  );
  expect(reason).toMatch(expected);
});
