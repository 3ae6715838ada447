import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  filterMembers,
  itemsOf,
  type JsonNode,
  JsonSyntaxError,
  jsonString,
  mapChildren,
  mapJson,
  member,
  parseJson,
  printJson,
  sameJson,
  stringAt,
  stringsIn,
  toNode,
  tryParseJson,
  visitJson,
} from '../../src/wire/json.ts';
import { anyCharacter } from './any-character.ts';

it.each([
  '{"b":1,"a":2,"b":3}',
  '[1.0,1,1e0,1E+2,-0,0.10]',
  '12345678901234567890',
  '["\\u00e9","é"]',
  '["\\/","/","\\ud83d\\ude00","😀","\\u0041"]',
  '{"\\u006bey":1,"key":2}',
  '{"":{"":[[],{},""]}}',
  'null',
])('prints %s with its spelling', (text) => {
  expect(printJson(parseJson(text).node)).toBe(text);
});

it('prints every compact document with its spelling', () => {
  fc.assert(fc.property(compactJson, (text) => printJson(parseJson(text).node) === text));
});

it('parses to the same value as JSON.parse', () => {
  fc.assert(
    fc.property(compactJson, (text) => {
      expect(JSON.parse(printJson(parseJson(text).node))).toEqual(JSON.parse(text));
    }),
  );
});

it('keeps value and spelling of a string', () => {
  expect(parseJson('"\\u00e9"').node).toEqual({ kind: 'string', value: 'é', spelling: '"\\u00e9"' });
  expect(parseJson('"é"').node).toEqual({ kind: 'string', value: 'é' });
  expect(parseJson('"\\n\\""').node).toEqual({ kind: 'string', value: '\n"' });
});

it('distinguishes documents with white space from compact ones', () => {
  expect(parseJson('{"a":[1,2]}').compact).toBe(true);
  for (const text of ['{"a": 1}', ' 1', '[1,\n2]', '{}\t', '{ }'])
    expect(parseJson(text).compact).toBe(false);
  expect(parseJson('" a b "').compact).toBe(true);
});

it.each([
  ['', 0, 'a value'],
  ['{"a":}', 5, 'a value'],
  ['{"a" 1}', 5, '":"'],
  ['[1 2]', 3, '"]"'],
  ['{"a":1,}', 7, 'a string'],
  ['01', 1, 'the end of the document'],
  ['tru', 0, 'a value'],
  ['"abc', 4, 'the rest of a string'],
  ['"a\nb"', 2, 'the rest of a string'],
  ['["\\x"]', 1, 'a string with valid escapes'],
  ['{"a":1}}', 7, 'the end of the document'],
])('reports where %j is wrong', (text, offset, expected) => {
  expect(tryParseJson(text)).toBeUndefined();
  expect(() => parseJson(text)).toThrow(new JsonSyntaxError(expected, offset));
  expect(() => parseJson(text)).toThrow(expect.objectContaining({ name: 'JsonSyntaxError', offset }));
});

it('rejects documents nested deeper than 128 levels without overflowing the stack', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  expect(printJson(parseJson(nested(128)).node)).toBe(nested(128));
  expect(() => parseJson(nested(130))).toThrow('expected at most 128 levels at character 130');
  expect(tryParseJson('{"a":'.repeat(100_000))).toBeUndefined();
});

it('finds the first member with a key, and strings at a path', () => {
  const node = parseJson('{"a":{"b":"x"},"a":1}').node;
  expect(stringAt(node, 'a', 'b')).toBe('x');
  expect(stringAt(node, 'a', 'c')).toBeUndefined();
  expect(stringAt(node, 'a')).toBeUndefined();
  expect(member(toNode([1]), '0')).toBeUndefined();
});

it('treats documents as equal only when their spelling is equal', () => {
  expect(sameJson(parseJson('{ "a": 1 }').node, toNode({ a: 1 }))).toBe(true);
  expect(sameJson(parseJson('1.0').node, toNode(1))).toBe(false);
  expect(sameJson(parseJson('{"a":1,"b":2}').node, toNode({ b: 2, a: 1 }))).toBe(false);
  expect(sameJson(parseJson('{"\\u0061":1}').node, toNode({ a: 1 }))).toBe(false);
  expect(sameJson(parseJson('["\\u0061"]').node, toNode(['a']))).toBe(false);
  expect(sameJson(toNode([1]), toNode([1, 2]))).toBe(false);
  expect(sameJson(toNode(['1']), toNode([1]))).toBe(false);
  fc.assert(fc.property(compactJson, (text) => sameJson(parseJson(text).node, parseJson(text).node)));
  const same = (a: string, b: string) => sameJson(parseJson(a).node, parseJson(b).node) === (a === b);
  fc.assert(fc.property(compactJson, compactJson, same));
});

it('converts plain values to nodes, and rejects others', () => {
  expect(printJson(toNode({ b: 1.5, a: [null, undefined], c: undefined }))).toBe('{"b":1.5,"a":[null,null]}');
  expect(() => toNode(undefined)).toThrow(TypeError);
});

/** Documents with duplicate keys, odd numbers and odd escapes, but no white space. */
const { document: compactJson } = fc.letrec<{ document: string; text: string }>((tie) => ({
  text: fc
    .array(
      fc.oneof(
        fc.string({ unit: anyCharacter, maxLength: 3 }).map((text) => JSON.stringify(text).slice(1, -1)),
        fc.constantFrom('\\u00e9', '\\/', '\\u0041', '\\ud800', '\\"', '\\\\', '{{', '}}', '\u2028'),
      ),
      { maxLength: 4 },
    )
    .map((parts) => `"${parts.join('')}"`),
  document: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false', '0', '-0', '1.0', '1E-7', '12345678901234567890', '-1.50e+10'),
    tie('text'),
    fc.array(tie('document'), { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
    fc
      .array(fc.tuple(fc.oneof(fc.constantFrom('"a"', '"__proto__"'), tie('text')), tie('document')), {
        maxLength: 3,
      })
      .map((members) => `{${members.map(([key, value]) => `${key}:${value}`).join(',')}}`),
  ),
}));

const tree = (text: string): JsonNode => parseJson(text).node;
const upperCase = (node: JsonNode): JsonNode =>
  node.kind === 'string' ? jsonString(node.value.toUpperCase()) : node;

it('maps every node and keeps the spelling of the others and of keys', () => {
  const mapped = mapJson(tree('{"\\u006bey":["a",{"b":"c","b":1.0}],"d":"e"}'), upperCase);
  expect(printJson(mapped)).toBe('{"\\u006bey":["A",{"b":"C","b":1.0}],"d":"E"}');
});

it('maps children before their parent', () => {
  const count = mapJson(tree('[[1,2],[],{"a":[3]}]'), (node) =>
    node.kind === 'array' ? { kind: 'number', text: String(node.items.length) } : node,
  );
  expect(printJson(count)).toBe('3');
  const inner = mapJson(tree('{"a":[3]}'), (node) =>
    node.kind === 'array' ? jsonString(printJson(node)) : node,
  );
  expect(printJson(inner)).toBe('{"a":"[3]"}');
});

it('returns the same node when a map changes nothing', () => {
  fc.assert(
    fc.property(compactJson, (text) => {
      const node = tree(text);
      expect(mapJson(node, (part) => part)).toBe(node);
    }),
  );
});

it('maps direct children only, each with its key', () => {
  const keys: (string | undefined)[] = [];
  const change = (child: JsonNode, key: string | undefined): JsonNode => {
    keys.push(key);
    return upperCase(child);
  };
  expect(printJson(mapChildren(tree('{"a":"x","b":["y"]}'), change))).toBe('{"a":"X","b":["y"]}');
  expect(printJson(mapChildren(tree('["x",["y"]]'), change))).toBe('["X",["y"]]');
  expect(keys).toEqual(['a', 'b', undefined, undefined]);
});

it('visits every node once, parents first, in document order', () => {
  const visited: string[] = [];
  visitJson(tree('{"a":[1,{"b":null}],"c":"d"}'), (node) => visited.push(printJson(node)));
  expect(visited).toEqual([
    '{"a":[1,{"b":null}],"c":"d"}',
    '[1,{"b":null}]',
    '1',
    '{"b":null}',
    'null',
    '"d"',
  ]);
});

it('lists the strings of a tree without its keys', () => {
  expect(stringsIn(tree('{"a":["b",{"c":"d"}],"e":1,"f":"\\u0067"}'))).toEqual(['b', 'd', 'g']);
  expect(stringsIn(undefined)).toEqual([]);
});

it('filters the members of an object and leaves other nodes alone', () => {
  const keep = (key: string) => key !== 'a';
  expect(printJson(filterMembers(tree('{"a":1,"\\u0062":2,"a":3}'), keep))).toBe('{"\\u0062":2}');
  expect(printJson(filterMembers(tree('["a"]'), keep))).toBe('["a"]');
});

it('returns the items of arrays only', () => {
  expect(itemsOf(tree('[1,"2"]')).map(printJson)).toEqual(['1', '"2"']);
  expect(itemsOf(tree('{"a":1}'))).toEqual([]);
  expect(itemsOf(undefined)).toEqual([]);
});
