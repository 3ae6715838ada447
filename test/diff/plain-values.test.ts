import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareValues } from '../../src/diff/neutrality/plain-values.ts';
import type { Place } from '../../src/golden/match/mismatch.ts';
import { differenceText } from '../../src/report/values.ts';
import { parseJson, printJson } from '../../src/wire/json.ts';
import { anyCharacter } from '../wire/any-character.ts';

/** The differences as lines: kind, path, both values. */
function diff(expected: string, actual: string): string[] {
  const place: Place = { exchange: 1, side: 'client', part: 'body', path: [] };
  return compareValues(parseJson(expected).node, parseJson(actual).node, place).map((mismatch) => {
    const { expected, actual } = differenceText(mismatch);
    return `${mismatch.kind} ${mismatch.places.map(({ path }) => path.join('.')).join(', ')}: ${expected} -> ${actual}`;
  });
}

it('finds nothing between equal documents', () => {
  const json = fc.json({ stringUnit: anyCharacter }).map((text) => printJson(parseJson(text).node));
  fc.assert(fc.property(json, (text) => diff(text, text).length === 0));
});

it('finds something between any two different documents', () => {
  fc.assert(
    fc.property(fc.json(), fc.json(), (one, other) => {
      const same = printJson(parseJson(one).node) === printJson(parseJson(other).node);
      expect(diff(one, other).length === 0).toBe(same);
    }),
  );
});

it('reports changed, missing and added members by their keys', () => {
  expect(diff('{"a":1,"b":{"c":2},"d":3}', '{"a":2,"b":{},"e":3}')).toEqual([
    'changed a: 1 -> 2',
    'missing b.c: 2 -> null',
    'missing d: 3 -> null',
    'added e: null -> 3',
  ]);
});

it('distinguishes another type, another value and another spelling', () => {
  expect(diff('[1]', '["1"]')).toEqual(['retyped 0: 1 -> "1"']);
  expect(diff('{"a":null}', '{"a":false}')).toEqual(['retyped a: null -> false']);
  expect(diff('{"a":true}', '{"a":false}')).toEqual(['changed a: true -> false']);
  expect(diff('{"a":{}}', '{"a":[]}')).toEqual(['retyped a: {} -> []']);
  expect(diff('{"a":1.0}', '{"a":1}')).toEqual(['respelled a: 1.0 -> 1']);
  expect(diff('{"a":"\\u00e9"}', '{"a":"é"}')).toEqual(['respelled a: "\\u00e9" -> "é"']);
  expect(diff('{"\\u0061":1}', '{"a":1}')).toEqual(['respelled a: key "\\u0061" -> key "a"']);
  expect(diff('[120, 0.5, -0]', '[1.2e2, 5E-1, 0]').map((line) => line.split(' ')[0])).toEqual([
    'respelled',
    'respelled',
    'respelled',
  ]);
  expect(diff('12345678901234567890', '12345678901234567891')).toHaveLength(1);
  expect(diff('12345678901234567890', '12345678901234567891')[0]).toMatch(/^changed/);
});

it('shows keys that moved together in both orders', () => {
  expect(diff('{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}', '{"a":1,"d":4,"e":5,"f":6,"b":2,"c":3}')).toEqual([
    'moved b: a, b, c, f -> a, f, b, c',
    'moved c: a, b, c, f -> a, f, b, c',
  ]);
});

it('reports the key that moved, not those that it passed', () => {
  expect(diff('{"a":1,"b":2,"c":3}', '{"c":3,"a":1,"b":2}')).toEqual(['moved c: b, c -> c, b']);
});

it('reports a duplicate key as a member of its own', () => {
  expect(diff('{"a":1}', '{"a":1,"a":2}')).toEqual(['added a: null -> 2']);
  expect(diff('{"a":1,"a":2}', '{"a":1,"a":3}')).toEqual(['changed a: 2 -> 3']);
});

it('aligns lists by content', () => {
  expect(diff('[1,2,3]', '[1,9,2,3]')).toEqual(['added 1: null -> 9']);
  expect(diff('[1,2,3]', '[1,3]')).toEqual(['missing 1: 2 -> null']);
  expect(diff('[1,2,3]', '[3,1,2]')).toEqual(['moved 0: item 2 -> item 0: 3']);
  expect(diff('["a","b"]', '["a","c"]')).toEqual(['changed 1: "b" -> "c"']);
  expect(diff('[[1,2],[3,4]]', '[[1,2],[3,5]]')).toEqual(['changed 1.1: 4 -> 5']);
});

it('compares the members of two versions of an item', () => {
  const [one, other] = [
    '{"type":"message","role":"user","text":"a"}',
    '{"type":"message","role":"user","text":"b"}',
  ];
  expect(diff(`[${one}]`, `[${other}]`)).toEqual(['changed 0.text: "a" -> "b"']);
  expect(diff(`[${one}]`, `[${other},${one}]`)).toEqual([`added 0: null -> ${other}`]);
  expect(diff('[{"a":1}]', '[{"b":1}]')).toEqual(['missing 0.a: 1 -> null', 'added 0.b: null -> 1']);
});

it('treats marks of the pattern language as text', () => {
  expect(diff('{"a":"{{name}}"}', '{"a":"x"}')).toEqual(['changed a: "{{name}}" -> "x"']);
  expect(diff('{"a":{"{{json}}":{}}}', '{"a":"{}"}')).toEqual(['retyped a: {"{{json}}":{}} -> "{}"']);
  expect(diff('{"{{unordered}}":true,"a":1,"b":2}', '{"{{unordered}}":true,"b":2,"a":1}')).toHaveLength(1);
});

it('handles keys that every JavaScript object inherits', () => {
  expect(diff('{"constructor":2,"__proto__":1}', '{"__proto__":3,"toString":4}')).toEqual([
    'changed __proto__: 1 -> 3',
    'missing constructor: 2 -> null',
    'added toString: null -> 4',
  ]);
});

it('shows long texts around their first difference', () => {
  const [line] = diff(`"${'x'.repeat(500)}a"`, `"${'x'.repeat(500)}b"`);
  expect(line).toMatch(/^changed : …x{40}a" \(503 characters\) -> …x{40}b" \(503 characters\)$/);
});
