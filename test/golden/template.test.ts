import fc from 'fast-check';
import { expect, it } from 'vitest';
import { escapeKey, unescapeKey } from '../../src/golden/golden.ts';
import {
  parseTemplate,
  printTemplate,
  soleVariable,
  type TemplatePart,
} from '../../src/golden/pattern/template.ts';

it('reads variables between literal texts', () => {
  expect(parseTemplate('msg_{{msg_id}}:0')).toEqual([
    { literal: 'msg_' },
    { variable: 'msg_id' },
    { literal: ':0' },
  ]);
  expect(parseTemplate('{{a}}{{b}}')).toEqual([{ variable: 'a' }, { variable: 'b' }]);
  expect(parseTemplate('plain { text }')).toEqual([{ literal: 'plain { text }' }]);
  expect(parseTemplate('')).toEqual([{ literal: '' }]);
  expect(parseTemplate('{{{{}}name}}')).toEqual([{ literal: '{{name}}' }]);
});

it('recognises a template that is one variable', () => {
  expect(soleVariable('{{a_2}}')).toBe('a_2');
  for (const text of ['a', '{{a}}b', '{{A}}', '{{{{}}', '']) expect(soleVariable(text)).toBeUndefined();
});

it('escapes literal braces', () => {
  const brace = fc.constantFrom('{', '}', '{{', '}}', 'a', '{{a}}', '#0', '{{{{}}');
  const literal = fc.array(brace, { maxLength: 5 }).map((parts) => ({ literal: parts.join('') }));
  const variable = fc.constantFrom('a', 'b_2', '#0').map((name) => ({ variable: name }));
  fc.assert(
    fc.property(fc.array(fc.oneof(literal, variable), { maxLength: 5 }), (parts) => {
      const read = parseTemplate(printTemplate(parts));
      const text = (part: TemplatePart) => ('literal' in part ? part.literal : `<${part.variable}>`);
      expect(read.map(text).join('')).toBe(parts.map(text).join(''));
      expect(printTemplate(read)).toBe(printTemplate(parts));
    }),
  );
});

it('escapes keys that look like marks', () => {
  for (const key of ['{{json}}', '{{unordered}}', '{{{{}}', 'a{{', '', '{{']) {
    expect(unescapeKey(escapeKey(key))).toBe(key);
    expect(escapeKey(key)).not.toMatch(/^\{\{[a-z]/);
  }
  expect(unescapeKey('{{json}}')).toBe('{{json}}');
});
