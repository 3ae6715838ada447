import { expect, it } from 'vitest';
import { didYouMean } from '../src/suggestion.ts';

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
