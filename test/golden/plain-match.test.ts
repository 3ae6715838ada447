import { expect, it } from 'vitest';
import type { Variable } from '../../src/golden/golden.ts';
import { Matcher } from '../../src/golden/match.ts';
import type { Found } from '../../src/golden/occurrences.ts';
import { PlainMatcher } from '../../src/golden/plain-match.ts';
import { freshVariablesIn } from '../../src/golden/plain-variables.ts';
import { RecentNames } from '../../src/golden/recent.ts';
import { parseJson } from '../../src/wire/json.ts';

function variable(name: string, kind: Variable['kind'], number = false): [string, Variable] {
  return [name, { name, kind, number, group: undefined, lifetime: undefined }];
}

const variables = new Map([
  variable('text', 'host_text'),
  variable('id', 'hex'),
  variable('n', 'integer'),
  variable('clock', 'epoch_s', true),
]);
const hex = '0123456789abcdef';

/** What is found in two documents, each at the end of a line. */
function found(golden: string, trace: string): readonly Found[] | undefined {
  const [line, other] = [`{"json":${golden}}`, `{"json":${trace}}`].map((text) => {
    const bytes = Buffer.from(`${text}\n`);
    return { bytes, start: 0, end: bytes.length - 1 };
  });
  const at = '{"json":'.length;
  return line && other && new PlainMatcher(variables, new Map()).match(line, at, other, at);
}

/** What the Matcher finds; undefined where something is wrong. */
function judged(golden: string, trace: string): readonly Found[] | undefined {
  const values: Found[] = [];
  let wrong = false;
  const matcher = new Matcher(variables, {
    mismatch: () => {
      wrong = true;
    },
    occurrence: (name, value) => values.push({ variable: name, value }),
  });
  const place = { exchange: 1, part: 'body', path: [] };
  matcher.node(parseJson(golden).node, parseJson(trace).node, place);
  return wrong ? undefined : values;
}

it.each([
  ['{"a":[1,true,null,-0.5e3],"é":"\\n\\u00e9{ }"}', '{"a":[1,true,null,-0.5e3],"é":"\\n\\u00e9{ }"}'],
  ['"{{text}}"', '"anything é"'],
  ['"{{text}}"', '""'],
  ['"a{{id}}b"', `"a${hex}b"`],
  ['["{{clock}}","x"]', '[1785432000.5,"x"]'],
  ['"{{id}}:{{n}}"', `"${hex}:12"`],
  ['"{{text}} {{text}}"', '"a b c"'],
  ['{"{{unordered}}":true,"a":"{{n}}","b":{"c":[]}}', '{"b":{"c":[]},"a":"7"}'],
  ['{"{{unordered}}":true}', '{}'],
  [
    '{"{{json}}":{"a":"{{id}}","b":"x\\"y\\\\z","c":"{{clock}}"}}',
    JSON.stringify(`{"a":"${hex}","b":"x\\"y\\\\z","c":1785432000}`),
  ],
])('finds in %s what the Matcher does', (golden, trace) => {
  expect(found(golden, trace)).toEqual(judged(golden, trace));
  expect(found(golden, trace)).toBeDefined();
});

it.each([
  ['a value that is not of its kind', '"{{id}}"', '"xyz"'],
  ['a number for a string', '"{{n}}"', '1'],
  ['a string for a number', '"{{clock}}"', '"1785432000"'],
  ['a number that is none', '"{{clock}}"', '01785432000'],
  ['an unusual escape before a variable', '"\\u0061{{id}}"', `"\\u0061${hex}"`],
  ['an unusual escape behind a variable', '"{{id}}\\u0061"', `"${hex}\\u0061"`],
  ['an unusual escape in a value', '"{{text}}"', '"\\u0061"'],
  ['another literal before a variable', '"a{{id}}"', `"b${hex}"`],
  ['another literal behind a variable', '"{{id}}a"', `"${hex}b"`],
  ['literals that overlap', '"ab{{text}}bc"', '"abc"'],
  ['another key', '{"a":1}', '{"b":1}'],
  ['another order', '{"a":1,"b":2}', '{"b":2,"a":1}'],
  ['a member too many', '{"{{unordered}}":true,"a":1}', '{"a":1,"b":1}'],
  ['a member too few', '{"{{unordered}}":true,"a":1,"b":1}', '{"a":1}'],
  ['a member twice', '{"{{unordered}}":true,"a":1,"b":1}', '{"a":1,"a":1}'],
  ['an item too many', '[1]', '[1,1]'],
  ['white space', '[1,2]', '[1, 2]'],
  ['a longer number', '[1]', '[12]'],
  ['JSON in a string that is spelled otherwise', '{"{{json}}":["a"]}', '"[\\u0022a\\"]"'],
  ['JSON in a string with white space', '{"{{json}}":["a"]}', '"[ \\"a\\"]"'],
  ['JSON that is in no string', '{"{{json}}":["a"]}', '["a"]'],
  ['braces that are spelled out', '"{{{{}}"', '"{{{{}}"'],
  ['a variable of which nothing is known', '"{{other}}"', '"x"'],
  ['a key that looks like a variable', '{"{{text}}":1}', '{"x":1}'],
  ['a control character', '"a\u0001"', '"a\u0001"'],
  ['what stands behind a document', '1', '1},{"x":1'],
  ['what is no JSON', '[1,]', '[1,]'],
])('leaves %s to the Matcher', (_, golden, trace) => {
  expect(found(golden, trace)).toBeUndefined();
});

/** The variables of lines that are read one after the other. */
function namesIn(...lines: readonly string[]): (readonly string[] | undefined)[] {
  const recent = new RecentNames();
  return lines.map((line) => {
    const bytes = Buffer.from(`${line}\n`);
    return freshVariablesIn({ bytes, start: 0, end: bytes.length - 1 }, 0, new Map(), recent);
  });
}

it.each([0, 1, 2, 3])('names the variables of a line whose braces stand %d bytes further', (shift) => {
  const [begin, end] = ['x'.repeat(shift), 'y'.repeat(shift)];
  const line = `{"a":"${begin}{{one}}{{two}}${end}","c":{"{{unordered}}":true,"d":"{ {{three}}${begin}}"}}`;
  expect(namesIn(line)).toEqual([['one', 'two', 'three']]);
  expect(namesIn(`{"a":"${begin}{{{one}}"}`)).toEqual([undefined]);
});

it('names no variable that stands in a key, whatever escapes the key has', () => {
  expect(namesIn('{"a{{one}}\\n":1}', '{"a{{one}}\\"":1}', '{"a":"{{one}}\\n","b":"{{two}}\\":"}')).toEqual([
    undefined,
    undefined,
    ['one', 'two'],
  ]);
});

it('names a variable of an earlier line again only where another one had taken its place', () => {
  // Of as many characters, and with the same ones at the end.
  const [one, other] = ['first_of_the_pair', 'other_of_the_pair'];
  const line = (name: string) => `["{{${name}}}","{{${name}}}","{{third}}"]`;
  expect(namesIn(line(one), line(one), line(other), line(one))).toEqual([[one, 'third'], [], [other], [one]]);
});

it('takes no value of a variable for that of another one that has its place', () => {
  const alike = new Map([variable('first_of_the_pair', 'hex'), variable('other_of_the_pair', 'integer')]);
  const matcher = new PlainMatcher(alike, new Map());
  const line = (text: string) => {
    const bytes = Buffer.from(`${text}\n`);
    return { bytes, start: 0, end: bytes.length - 1 };
  };
  const match = (name: string, value: string) =>
    matcher.match(line(`{"json":"{{${name}}}"}`), 8, line(`{"json":"${value}"}`), 8);
  for (const [name, value] of [
    ['first_of_the_pair', hex],
    ['other_of_the_pair', '12'],
    ['first_of_the_pair', hex],
  ] as const) {
    expect(match(name, value)).toEqual([{ variable: name, value }]);
  }
  expect(match('other_of_the_pair', hex.replace('0', 'a'))).toBeUndefined();
  expect(match('none_of_the_pair', '12')).toBeUndefined();
});
