import { expect, it } from 'vitest';
import { chooseFrom, didYouMean } from '../src/suggestion.ts';

const scenarios = ['default', 'fast', 'http-fallback', 'tool-turn'];

it.each([
  ['fsat', 'did you mean "fast"? '],
  ['FAST', 'did you mean "fast"? '],
  ['http-falback', 'did you mean "http-fallback"? '],
  ['tool_turn', 'did you mean "tool-turn"? '],
  ['x', ''],
  ['something-else', ''],
])('suggests a known word for %s', (word, advice) => {
  expect(didYouMean(word, scenarios)).toBe(advice);
});

it('suggests nothing if nothing is known', () => {
  expect(didYouMean('fast', [])).toBe('');
});

it('lists the known words, unless they are many and one of them is meant', () => {
  const many = [...scenarios, ...Array.from({ length: 20 }, (_, at) => `scenario-${at}`)];
  expect(chooseFrom('fsat', scenarios)).toBe(
    'did you mean "fast"? choose from default, fast, http-fallback, tool-turn',
  );
  expect(chooseFrom('fsat', many)).toBe('did you mean "fast"?');
  expect(chooseFrom('x', many)).toMatch(/^choose from default, .*, scenario-19$/);
});
