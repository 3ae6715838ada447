import { expect, it } from 'vitest';
import { cannotPlay, ownTexts, playableBy, type Scenario } from '../../src/scenario/definition.ts';
import { loadScenario } from '../../src/scenario/scenario.ts';

const scenario: Scenario = {
  name: 'one',
  why: 'To see.',
  client: { prompt: 'Say one', config: {} },
  backend: [],
};

it('lets every version play a scenario that asks for none', () => {
  expect(cannotPlay(scenario, '0.1.0')).toBeUndefined();
});

it('says what a version outside the range lacks', () => {
  const ranged = { ...scenario, versions: { from: '0.99.0', to: '0.144.2', why: 'it sings' } };

  expect(cannotPlay(ranged, '0.98.9')).toBe(
    'codex 0.98.9 cannot play one, which starts with 0.99.0: it sings',
  );
  expect(cannotPlay(ranged, '0.144.10')).toBe(
    'codex 0.144.10 cannot play one, which ends with 0.144.2: it sings',
  );
  for (const version of ['0.99.0', '0.100.0', '0.144.2']) expect(cannotPlay(ranged, version)).toBeUndefined();
});

it('leaves out what a version cannot play, and says why', () => {
  const later = { ...scenario, name: 'later', versions: { from: '0.144.0', why: 'it sings' } };
  const skipped: string[] = [];

  const left = playableBy('0.118.0', [scenario, later], (reason) => skipped.push(reason));

  expect(left).toEqual([scenario]);
  expect(skipped).toEqual(['codex 0.118.0 cannot play later, which starts with 0.144.0: it sings']);
});

it('refuses a version that cannot play the only scenario asked for', () => {
  const later = { ...scenario, versions: { from: '0.144.0', why: 'it sings' } };

  expect(() => playableBy('0.118.0', [later], () => {})).toThrow(
    'codex 0.118.0 cannot play one, which starts with 0.144.0: it sings',
  );
});

it('counts an alpha to its release', () => {
  const ranged = { ...scenario, versions: { from: '0.170.0', why: 'it sings' } };

  expect(cannotPlay(ranged, '0.170.0-alpha.3')).toBeUndefined();
});

it('knows as its own all that a command travels as', () => {
  expect(ownTexts(loadScenario('tool-turn'))).toEqual(
    expect.arrayContaining([
      'Run both commands',
      'printf alpha',
      '{"cmd":"printf alpha"}',
      'text((await tools.exec_command({"cmd":"printf alpha"})).output)',
      'alpha',
      'Done',
    ]),
  );
});

it('knows as its own the texts of schemas, files, pictures and tools', () => {
  expect(ownTexts(loadScenario('output-schema'))).toContain('Any whole number you like');
  expect(ownTexts(loadScenario('agents-md'))).toContain('Answer in one word.\n');
  expect(ownTexts(loadScenario('image-input'))).toContainEqual(
    expect.stringMatching(/^data:image\/png;base64,iVBORw0KGgo/),
  );
  expect(ownTexts(loadScenario('mcp-tool'))).toEqual(
    expect.arrayContaining([
      'Tells the length of a word',
      'The word to measure',
      'four letters',
      '{"word":"word"}',
    ]),
  );
});
