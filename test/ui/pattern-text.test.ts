import { expect, it } from 'vitest';
import { Variables } from '../../src/ui/pattern-text.ts';

const variables = new Variables([
  { name: 'id', description: '', value: 'abc-def' },
  { name: 'longer', description: '', value: 'abc-def-ghi' },
  { name: 'special', description: '', value: 'a.b*c(d)' },
  { name: 'short', description: '', value: '12' },
  { name: 'empty', description: '', value: '' },
]);

it('finds the values of variables in a text, the longest first', () => {
  expect(variables.inText('x abc-def-ghi, abc-def!')).toEqual([
    { text: 'x ' },
    { text: 'abc-def-ghi', variable: 'longer' },
    { text: ', ' },
    { text: 'abc-def', variable: 'id' },
    { text: '!' },
  ]);
});

it('takes values literally, and does not look for short ones', () => {
  expect(variables.inText('a.b*c(d) aXbbc(d) 12')).toEqual([
    { text: 'a.b*c(d)', variable: 'special' },
    { text: ' aXbbc(d) 12' },
  ]);
});

it('shows the names of the variables in a pattern', () => {
  expect(variables.inPattern('{{{{}}id}} is {{id}}')).toEqual([
    { text: '{{id}} is ' },
    { text: 'id', variable: 'id' },
  ]);
});

it('matches a pattern by values', () => {
  expect(variables.matches('{{id}}/{{special}}', 'abc-def/a.b*c(d)')).toBe(true);
  expect(variables.matches('{{id}}', 'abc-de')).toBe(false);
  expect(variables.matches('plain', 'plain')).toBe(true);
});
