import { describe, expect, it } from 'vitest';
import { applyBaseline, type BaselineRun } from '../../src/baseline/apply-baseline.ts';
import { parseBaseline } from '../../src/baseline/baseline-file.ts';
import { titleOf } from '../../src/report/report.ts';
import { missingHeader, nothingUpstream, runOf } from './runs.ts';

const session = missingHeader('session-id');
const file = 'known.yaml';

function apply(entry: string, run: BaselineRun) {
  const text = `accepted:\n  - { reason: ticket 7, ${entry} }\n`;
  const { scenarios, problems } = applyBaseline(parseBaseline(text, file), run);
  const accepted = scenarios.flatMap((scenario) =>
    scenario.findings.some((finding) => finding.accepted === 'ticket 7') ||
    (scenario.verdict.type === 'failed' && scenario.verdict.accepted === 'ticket 7')
      ? [titleOf(scenario)]
      : [],
  );
  return { accepted, problems: problems.map((problem) => problem.text) };
}

const everywhere = runOf({
  '0.118.0 fast': [session],
  '0.169.0 default': [session],
  '0.169.0 fast': [session],
  '0.169.0 provider fast': [session],
});
const code = 'code: session/header-missing';

it.each([
  ['its code', code, ['0.118.0 fast', '0.169.0 default', '0.169.0 fast']],
  [
    'its name, in any spelling',
    `${code}, name: Session_ID`,
    ['0.118.0 fast', '0.169.0 default', '0.169.0 fast'],
  ],
  ['a pattern of its name', `${code}, name: session*`, ['0.118.0 fast', '0.169.0 default', '0.169.0 fast']],
  ['a scenario', `${code}, scenario: fast`, ['0.118.0 fast', '0.169.0 fast']],
  [
    'a pattern of scenarios',
    `${code}, scenario: "*a*t"`,
    ['0.118.0 fast', '0.169.0 default', '0.169.0 fast'],
  ],
  ['all scenarios but one', `${code}, except: [def*]`, ['0.118.0 fast', '0.169.0 fast']],
  ['a version', `${code}, codex: 0.118.0`, ['0.118.0 fast']],
  ['a pattern of versions', `${code}, codex: [0.16*], scenario: fast`, ['0.169.0 fast']],
  ['a lane', `${code}, lane: provider`, ['0.169.0 provider fast']],
  [
    'lanes',
    `${code}, lane: [provider, chatgpt], codex: 0.169.0, scenario: fast`,
    ['0.169.0 fast', '0.169.0 provider fast'],
  ],
  ['its place', `${code}, codex: 0.118.0, place: exchange * › handshake › session-id`, ['0.118.0 fast']],
  ['another place', `${code}, place: exchange 2 › *`, []],
  ['another name', `${code}, name: session`, []],
  ['another code', 'code: session/header-renamed', []],
  ['another driver', `${code}, driver: codex`, []],
])('accepts a cause by %s', (_, entry, accepted) => {
  expect(apply(entry, everywhere).accepted).toEqual(accepted);
});

it('accepts a scenario that failed, in its verdicts too', () => {
  const run = runOf({ '0.169.0 fast': 'failed', '0.169.0 default': 'failed' });
  const text = `accepted:\n  - { code: scenario/failed, scenario: fast, reason: slow }\n`;
  const [fast, byDefault] = applyBaseline(parseBaseline(text, file), run).scenarios;
  const verdict = { type: 'failed', reason: 'it died', accepted: 'slow' };
  expect(fast).toMatchObject({ verdict, comparisons: { parity: verdict, 'request neutrality': verdict } });
  expect(byDefault?.verdict).toEqual({ type: 'failed', reason: 'it died' });
});

it('accepts nothing twice: marks of an earlier baseline are removed', () => {
  const marked = runOf({ '0.169.0 fast': [{ ...session, accepted: 'earlier' }] });
  const { scenarios } = applyBaseline({ file, entries: [] }, marked);
  expect(scenarios[0]?.findings).toEqual([session]);
});

describe('an entry that nothing matches', () => {
  const unused = [
    'known.yaml, line 2: session/header-missing does not occur any more: remove the entry, or run check --update-baseline',
  ];

  it('is unused', () => {
    expect(apply(code, runOf({ '0.169.0 fast': [] })).problems).toEqual(unused);
  });

  it.each([
    ['its lane was not played', `${code}, lane: provider`, runOf({ '0.169.0 fast': [] })],
    ['its driver did not play', `${code}, driver: codex`, runOf({ '0.169.0 fast': [] })],
    ['its version was not played', `${code}, codex: 0.118.0`, runOf({ '0.169.0 fast': [] })],
    ['its scenario was not checked', code, runOf({ '0.169.0 fast': 'not checked' })],
    ['the subject failed', code, runOf({ '0.169.0 fast': 'failed', '0.169.0 default': [] })],
    [
      'the subject sent nothing upstream',
      code,
      runOf({ '0.169.0 fast': [nothingUpstream], '0.169.0 default': [] }),
    ],
    [
      'only some scenarios were selected',
      code,
      runOf({ '0.169.0 fast': [] }, { selection: { coverage: 'scenarios' } }),
    ],
    [
      'only one of its scenarios was selected',
      `${code}, scenario: [fast, default]`,
      runOf({ '0.169.0 fast': [] }, { selection: { coverage: 'scenarios' } }),
    ],
    [
      'the run ended early',
      `${code}, scenario: fast`,
      runOf({ '0.169.0 fast': [] }, { selection: { coverage: 'part' } }),
    ],
    [
      'the run was one shard',
      code,
      runOf({ '0.169.0 fast': [] }, { selection: { coverage: 'all', shard: '1/2' } }),
    ],
  ])('is not unused if %s', (_, entry, run) => {
    expect(apply(entry, run).problems).toEqual([]);
  });

  it.each([
    ['scenario/failed', 'failed' as const],
    ['setup/nothing-upstream', [nothingUpstream]],
  ])('is unused in the other scenarios if %s is accepted in one', (accepted, outcome) => {
    const text =
      `accepted:\n  - { ${code}, reason: ticket 7 }\n` +
      `  - { code: ${accepted}, scenario: fast, reason: ticket 8 }\n`;
    const run = runOf({ '0.169.0 fast': outcome, '0.169.0 default': [] });
    const { problems } = applyBaseline(parseBaseline(text, file), run);
    expect(problems.map((problem) => problem.text)).toEqual(unused);
  });

  it('is unused if all its scenarios were selected', () => {
    const run = runOf(
      { '0.169.0 fast': [], '0.169.0 default': [], '0.169.0 flex': [] },
      { selection: { coverage: 'scenarios' } },
    );
    expect(apply(`${code}, scenario: [fast, default]`, run).problems).toEqual(unused);
  });

  it('is unused in one of its scenarios', () => {
    const run = runOf({ '0.169.0 fast': [session], '0.169.0 default': [] });
    expect(apply(`${code}, scenario: [fast, default]`, run).problems).toEqual([
      'known.yaml, line 2: session/header-missing does not occur any more with scenario default: remove that, or run check --update-baseline',
    ]);
  });

  it('is expired, and not unused too, after its end', () => {
    const run = runOf({ '0.169.0 fast': [] }, { today: '2027-02-01' });
    expect(apply(`${code}, until: 2027-01-31`, run).problems).toEqual([
      'known.yaml, line 2: session/header-missing was accepted until 2027-01-31: fix it, or move the date',
    ]);
  });
});

it.each([
  ['2027-01-30', ['0.169.0 fast']],
  ['2027-01-31', ['0.169.0 fast']],
  ['2027-02-01', []],
])('accepts until the end of 2027-01-31: on %s', (today, accepted) => {
  const run = runOf({ '0.169.0 fast': [session] }, { today });
  expect(apply(`${code}, until: 2027-01-31`, run).accepted).toEqual(accepted);
});

it.each([
  [
    'an unknown code',
    'code: session/header-lost',
    'accepted.0.code is not the code of a cause: did you mean "session/header-moved"? "codex-parity explain" lists all codes',
  ],
  ['no reason', 'code: shape/header-order', 'accepted.0.reason is missing'],
  [
    'an empty reason',
    'code: shape/header-order, reason: ""',
    'accepted.0.reason must say why it is accepted',
  ],
  [
    'an unknown scenario',
    `${code}, reason: x, scenario: fasst`,
    'accepted.0.scenario is not the name of a scenario: did you mean "fast"? (see check --list)',
  ],
  ['an unknown lane', `${code}, reason: x, lane: free`, 'accepted.0.lane must be one of chatgpt, '],
  ['an unknown driver', `${code}, reason: x, driver: openai`, 'accepted.0.driver must be one of replay, '],
  [
    'a version that is a number',
    `${code}, reason: x, codex: 0.118`,
    'accepted.0.codex must be a version in quotes',
  ],
  [
    'a date that is none',
    `${code}, reason: x, until: 2027-02-30`,
    'accepted.0.until must be a date such as 2027-01-31',
  ],
  ['an unknown key', `${code}, reason: x, cause: y`, 'accepted.0.cause is not a known key'],
])('rejects a baseline with %s', (_, entry, message) => {
  expect(() => parseBaseline(`accepted:\n  - { ${entry} }\n`, file)).toThrow(
    `known.yaml, line 2: ${message}`,
  );
});
