import { expect, it } from 'vitest';
import { ownTexts } from '../../src/scenario/own-texts.ts';
import { loadScenario } from '../../src/scenario/scenario.ts';

it('lists every form in which a command is sent', () => {
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

it('lists the texts of schemas, files, images and tools', () => {
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
