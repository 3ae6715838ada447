import { describe, expect, it } from 'vitest';
import { type AlignedLine, alignedHeaders, alignedLines } from '../../src/ui/aligned-lines.ts';
import { Variables } from '../../src/ui/pattern-text.ts';
import { jsonString, parseJson } from '../../src/wire/json.ts';

const variables = new Variables([
  { name: 'session_id', description: 'a UUID', value: '0193f1a2-session' },
  { name: 'count', description: 'a number', value: '12345678' },
  { name: 'unknown', description: 'not bound' },
]);

/** Each line as `left | right`, with its state unless both sides are the same. */
function lines(left: string | undefined, right: string | undefined, pattern = true): string[] {
  const node = (text: string | undefined) => (text === undefined ? undefined : parseJson(text).node);
  return alignedLines(node(left), node(right), { pattern, variables }).map(lineText);
}

function lineText({ depth, left, right, state, moved }: AlignedLine): string {
  const side = (text: AlignedLine['left']) =>
    text === undefined ? '' : `${text.name === undefined ? '' : `${text.name}: `}${text.text}`;
  const order = moved === undefined ? '' : ` moved ${moved.join(' → ')}`;
  const note = `${state === 'same' ? '' : ` (${state})`}${order}`;
  return `${'  '.repeat(depth)}${side(left)} | ${side(right)}${note}`;
}

describe('lines of two JSON texts', () => {
  it('keeps what is equal and short on one line', () => {
    expect(lines('{"a":[1,2]}', '{"a":[1,2]}')).toEqual(['{"a":[1,2]} | {"a":[1,2]}']);
  });

  it('shows each member of objects that differ', () => {
    expect(lines('{"a":1,"b":2}', '{"a":1,"c":3}')).toEqual([
      '{ | {',
      '  a: 1 | a: 1',
      '  b: 2 |  (left only)',
      '   | c: 3 (right only)',
      '} | }',
    ]);
  });

  it('takes a pattern and the value of its variable for the same', () => {
    expect(lines('{"id":"s_{{session_id}}"}', '{"id":"s_0193f1a2-session"}')).toHaveLength(1);
    expect(lines('"{{count}}"', '12345678')).toEqual(['"{{count}}" | 12345678']);
    expect(lines('"{{session_id}}"', '"0193f1a2-other"')).toEqual([
      '"{{session_id}}" | "0193f1a2-other" (changed)',
    ]);
  });

  it('takes a variable without a value for any text', () => {
    expect(lines('"a {{unknown}} {{session_id}}"', '"a b 0193f1a2-session"')).toEqual([
      '"a {{unknown}} {{session_id}}" | "a b 0193f1a2-session"',
    ]);
    expect(lines('"a {{unknown}}"', '"b"')).toEqual(['"a {{unknown}}" | "b" (changed)']);
  });

  it('compares the spelling of what is no pattern', () => {
    expect(lines('"\\u00e9"', '"é"', false)).toEqual(['"\\u00e9" | "é" (changed)']);
    expect(lines('{"a":"{{session_id}}"}', '{"a":"{{session_id}}"}', false)).toHaveLength(1);
  });

  it('shows the document in a string where the golden has one', () => {
    expect(
      lines(
        '{"m":{"{{json}}":{"a":"{{session_id}}","b":1}}}',
        '{"m":"{\\"a\\":\\"0193f1a2-session\\",\\"b\\":2}"}',
      ),
    ).toEqual([
      '{ | {',
      '  m: { | m: {',
      '    a: "{{session_id}}" | a: "0193f1a2-session"',
      '    b: 1 | b: 2 (changed)',
      '  } | }',
      '} | }',
    ]);
  });

  it('shows where a member is on each side if the order differs', () => {
    const text = lines('{"a":1,"b":2,"c":{"d":[]}}', '{"c":{"d":[]},"a":1,"b":2}');
    expect(text).toEqual([
      '{ | {',
      '  a: 1 | a: 1',
      '  b: 2 | b: 2',
      '  c: {"d":[]} | c: {"d":[]} moved 3 → 1',
      '} | }',
    ]);
  });

  it('does not care for the order of an unordered object', () => {
    expect(lines('{"{{unordered}}":true,"a":1,"b":2}', '{"b":2,"a":1}')).toEqual([
      '{"a":1,"b":2} | {"b":2,"a":1}',
    ]);
  });

  it('pairs equal items, and those between them by position', () => {
    expect(lines('[1,{"a":1},3]', '[0,1,{"a":2},3]')).toEqual([
      '[ | [',
      '   | 0 (right only)',
      '  1 | 1',
      '  { | {',
      '    a: 1 | a: 2 (changed)',
      '  } | }',
      '  3 | 3',
      '] | ]',
    ]);
  });

  it('shows one side alone', () => {
    expect(lines(undefined, '{"a":1}')).toEqual([' | {"a":1} (right only)']);
  });

  it('shows another type in place of a value', () => {
    expect(lines('{"a":[1]}', '{"a":"1"}')).toEqual(['{ | {', '  a: [1] | a: "1" (changed)', '} | }']);
  });
});

it('pairs headers by name, in any case and spelling, and each of several with one name', () => {
  const header = (name: string, value: string) => [name, jsonString(value)] as const;
  const aligned = alignedHeaders(
    [header('Host', 'a'), header('session-id', 'b'), header('x', '1'), header('x', '2')],
    [header('host', 'a'), header('x', '1'), header('session_id', 'b'), header('x', '2'), header('via', 'c')],
    { pattern: true, variables },
  );
  expect(aligned.map(lineText)).toEqual([
    'Host: "a" | host: "a" (changed)',
    expect.stringMatching(/^session-id: "b" \| session_id: "b" \(changed\)/),
    expect.stringMatching(/^x: "1" \| x: "1"/),
    'x: "2" | x: "2"',
    ' | via: "c" (right only)',
  ]);
});

it('aligns two lists of 2,000 items in time', () => {
  const list = (from: number) => JSON.stringify(Array.from({ length: 2000 }, (_, at) => ({ at: at + from })));
  expect(lines(list(0), list(1)).length).toBeGreaterThan(2000);
});
