import { expect, it } from 'vitest';
import { cannotPlay, playableBy } from '../../src/scenario/playable.ts';
import type { Scenario } from '../../src/scenario/scenario.ts';

const scenario: Scenario = {
  name: 'one',
  why: 'To see.',
  client: { prompt: 'Say one', config: {} },
  backend: [],
  http2: true,
};

it('lets every version play a scenario without a version range', () => {
  expect(cannotPlay(scenario, '0.1.0')).toBeUndefined();
});

it('explains why a version outside the range cannot play', () => {
  const ranged = { ...scenario, versions: { from: '0.99.0', to: '0.144.2', why: 'it cannot sing' } };

  expect(cannotPlay(ranged, '0.98.9')).toBe(
    'codex 0.98.9 cannot play one, which starts with 0.99.0: it cannot sing',
  );
  expect(cannotPlay(ranged, '0.144.10')).toBe(
    'codex 0.144.10 cannot play one, which ends with 0.144.2: it cannot sing',
  );
  for (const version of ['0.99.0', '0.100.0', '0.144.2']) expect(cannotPlay(ranged, version)).toBeUndefined();
});

it('skips the scenarios that a version cannot play, and reports why', () => {
  const later = { ...scenario, name: 'later', versions: { from: '0.144.0', why: 'it cannot sing' } };
  const skipped: string[] = [];

  const playable = playableBy('0.118.0', [scenario, later], (reason) => skipped.push(reason));

  expect(playable).toEqual([scenario]);
  expect(skipped).toEqual(['codex 0.118.0 cannot play later, which starts with 0.144.0: it cannot sing']);
});

it('throws when a version cannot play the only scenario', () => {
  const later = { ...scenario, versions: { from: '0.144.0', why: 'it cannot sing' } };

  expect(() => playableBy('0.118.0', [later], () => {})).toThrow(
    'codex 0.118.0 cannot play one, which starts with 0.144.0: it cannot sing',
  );
});

it('treats an alpha like its release', () => {
  const ranged = { ...scenario, versions: { from: '0.170.0', why: 'it cannot sing' } };

  expect(cannotPlay(ranged, '0.170.0-alpha.3')).toBeUndefined();
});
