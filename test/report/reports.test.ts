import { expect, it } from 'vitest';
import type { Finding } from '../../src/diff/finding.ts';
import { githubReport } from '../../src/report/github.ts';
import { jsonReport } from '../../src/report/json.ts';
import { junitReport } from '../../src/report/junit.ts';
import type { Report } from '../../src/report/report.ts';
import { textReport } from '../../src/report/text.ts';

const finding: Finding = {
  comparison: 'parity',
  kind: 'disagrees',
  severity: 'error',
  place: 'exchange 1 › handshake › session-id',
  places: ['exchange 1 › handshake › session-id', 'exchange 1 › client message 2 › prompt_cache_key'],
  expected: '"a"',
  actual: '"b"',
  why: 'one conversation has one identity',
};
const nasty: Finding = {
  comparison: 'request neutrality',
  kind: 'added',
  severity: 'warning',
  place: 'exchange 1 › client message 1 › a<b>&"c"\n::error::x',
  places: ['exchange 1 › client message 1 › a<b>&"c"\n::error::x'],
  expected: null,
  actual: '100 % ]]> \u0000\u001b[31m \ud800 \ufffe \r\n',
  why: 'x: y, z',
};
const scenario = { codex: '0.169.0', lane: 'chatgpt', scenario: 'fast' };
const clean: Report = { subject: 'mine', driver: 'replay', scenarios: [{ ...scenario, findings: [] }] };
const broken: Report = {
  subject: 'mine',
  driver: 'codex',
  scenarios: [
    { ...scenario, findings: [finding, nasty] },
    { ...scenario, scenario: 'default', findings: [] },
  ],
};

it('gives a person a table, the findings and the verdict', () => {
  expect(textReport(broken)).toMatchInlineSnapshot();
});

it('says in one line that there is parity', () => {
  expect(textReport(clean)).toMatchInlineSnapshot();
});

it('gives programs the report as it is, with the verdict', () => {
  expect(JSON.parse(jsonReport(broken))).toEqual({
    format: 'codex-parity/report',
    version: 1,
    parity: false,
    ...broken,
  });
  expect(JSON.parse(jsonReport(clean))).toMatchObject({ parity: true });
});

it('gives CI systems JUnit XML, a test case for each comparison', () => {
  expect(junitReport({ ...broken, scenarios: broken.scenarios.slice(0, 1) })).toMatchInlineSnapshot();
});

it.each([clean, broken])('writes XML that is well formed', (report) => {
  const xml = junitReport({ ...report, subject: '<&"\'>\t\u0007' });
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

it('gives GitHub one command for each finding, on one line', () => {
  expect(githubReport(broken)).toMatchInlineSnapshot();
});

it('tells GitHub that there is parity', () => {
  expect(githubReport(clean)).toBe('::notice title=codex-parity::mine: parity\n');
});
