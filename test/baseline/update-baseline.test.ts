import { expect, it } from 'vitest';
import { applyBaseline, type BaselineRun } from '../../src/baseline/apply-baseline.ts';
import { type Baseline, parseBaseline } from '../../src/baseline/baseline-file.ts';
import { updateBaseline } from '../../src/baseline/update-baseline.ts';
import { missingHeader, runOf } from './runs.ts';

const session = missingHeader('session-id');
const agent = missingHeader('user-agent');
const file = 'known.yaml';

function update(run: BaselineRun, text?: string) {
  const baseline: Baseline | undefined = text === undefined ? undefined : parseBaseline(text, file);
  const applied = applyBaseline(baseline ?? { file, entries: [] }, run);
  return updateBaseline({ subject: 'mine', baseline, applied, run, failOn: 'shape' });
}

/** The selectors of the entries that are written. */
function selectors(run: BaselineRun): string[][] {
  return update(run)
    .text.split(/^ {2}- /m)
    .slice(1)
    .map((entry) =>
      [...entry.matchAll(/^ *(?:scenario|except|codex|lane|driver): .*$/gm)].map(([line]) => line.trim()),
    );
}

it.each([
  [
    'everywhere',
    { '0.118.0 fast': [session], '0.169.0 default': [session], '0.169.0 fast': [session] },
    [[]],
  ],
  [
    'in some scenarios',
    { '0.118.0 fast': [session], '0.169.0 default': [], '0.169.0 fast': [session] },
    [['scenario: fast']],
  ],
  [
    'in all scenarios of a version',
    { '0.118.0 fast': [], '0.169.0 default': [session], '0.169.0 fast': [session] },
    [['codex: 0.169.0']],
  ],
  [
    'in all but a few scenarios',
    Object.fromEntries(
      ['a', 'b', 'c', 'fast'].map((name) => [`0.169.0 ${name}`, name === 'fast' ? [] : [session]]),
    ),
    [['except: fast']],
  ],
  [
    'in all scenarios of a version whose scenarios the others do not have',
    { '0.118.0 fast': [session], '0.169.0 default': [] },
    [['scenario: fast']],
  ],
  [
    'in different scenarios of versions',
    {
      '0.118.0 default': [],
      '0.118.0 fast': [session],
      '0.169.0 default': [session],
      '0.169.0 fast': [],
      '0.171.0 default': [session],
      '0.171.0 fast': [],
    },
    [
      ['scenario: fast', 'codex: 0.118.0'],
      ['scenario: default', 'codex: [0.169.0, 0.171.0]'],
    ],
  ],
  ['in a lane', { '0.169.0 provider fast': [session] }, [['lane: provider']]],
  ['where it was checked', { '0.169.0 fast': [session], '0.169.0 default': 'not checked' } as const, [[]]],
])('writes an entry for exactly the scenarios of a cause: %s', (_, outcomes, expected) => {
  const run = runOf(outcomes);
  expect(selectors(run)).toEqual(expected);
  const written = parseBaseline(update(run).text, file);
  expect(applyBaseline(written, run).problems).toEqual([]);
});

it('names the scenarios if only some were selected, and the driver if it is not replay', () => {
  const run = runOf({ '0.169.0 fast': [session] }, { selection: { coverage: 'scenarios' }, driver: 'codex' });
  expect(selectors(run)).toEqual([['scenario: fast', 'driver: codex']]);
});

it('removes the scenarios in which an entry is unused', () => {
  const run = runOf({ '0.169.0 fast': [session], '0.169.0 default': [] });
  const text =
    'accepted:\n  - code: session/header-missing\n    scenario: [default, fast]\n    reason: ticket 7\n';
  expect(update(run, text).text).toBe(text.replace('default, ', ''));
});

it('keeps entries of what was not played', () => {
  const text = 'accepted:\n  - code: session/header-missing\n    lane: provider\n    reason: ticket 7\n';
  expect(update(runOf({ '0.169.0 fast': [] }), text)).toMatchObject({ text, added: 0, removed: 0 });
});

it('keeps an expired entry that matches, with its date, and accepts nothing in its place', () => {
  const text = 'accepted:\n  - code: session/header-missing\n    reason: ticket 7\n    until: 2027-01-01\n';
  const run = runOf({ '0.169.0 fast': [session, agent] });
  const updated = update(run, text);
  expect(updated).toMatchObject({ added: 1, removed: 0 });
  expect(updated.text).toContain(text);
});

it('accepts a scenario that fails, but not a subject that fails in all', () => {
  expect(update(runOf({ '0.169.0 fast': 'failed', '0.169.0 default': [] })).text).toContain(
    'code: scenario/failed\n    scenario: fast\n',
  );
  expect(update(runOf({ '0.169.0 fast': 'failed' }))).toMatchObject({
    added: 0,
    refused: ['scenario/failed'],
  });
});

it('writes the most harmful causes first', () => {
  const run = runOf({ '0.169.0 fast': [agent, session], '0.169.0 default': [agent] });
  expect([...update(run).text.matchAll(/code: (.*)/g)].map(([, code]) => code)).toEqual([
    'session/header-missing',
    'client/name-missing',
  ]);
});

it('fills an empty file', () => {
  expect(update(runOf({ '0.169.0 fast': [session] }), '').text).toContain(
    'accepted:\n  - code: session/header-missing\n',
  );
});
