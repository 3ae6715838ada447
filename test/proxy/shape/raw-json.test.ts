import fc from 'fast-check';
import { expect, it } from 'vitest';
import { printMembers, readRequest, roleOf } from '../../../src/proxy/shape/raw-json.ts';
import { parseJson, printJson } from '../../../src/wire/json.ts';
import { anyCharacter } from '../../wire/any-character.ts';

it('removes white space between tokens and nowhere else, as parsing and printing do', () => {
  const objects = fc.dictionary(
    fc.string({ unit: anyCharacter }),
    fc.jsonValue({ stringUnit: anyCharacter, maxDepth: 3 }),
  );
  const spaces = fc.constantFrom(' ', '\t', '  \n');
  fc.assert(
    fc.property(objects, spaces, (object, space) => {
      const text = JSON.stringify(object, null, space);
      const request = readRequest(text);
      expect(printMembers(request?.members ?? [])).toBe(printJson(parseJson(text).node));
    }),
  );
});

it('returns the items of a request with white space', () => {
  expect(readRequest('{ "input": [ {"a": "b c\\" d"}, [ 1, 2 ] ] }')?.items).toEqual([
    '{"a":"b c\\" d"}',
    '[1,2]',
  ]);
});

it('does not make JSON of what is not', () => {
  expect(readRequest('{ "a": [1 2, tru e, - 1] }')?.members).toEqual([['a', '[1 2,tru e,- 1]']]);
});

it.each(['"\\', '"\\"', '{"a":"\\\\\\"', '{"a":"b"', '{"a" "b"}', '[]', ''])(
  'returns undefined for %s',
  (text) => {
    expect(readRequest(text)).toBeUndefined();
  },
);

it.each([
  ['{"role":"user","content":"x"}', 'user'],
  ['{"type":"message","id":"msg_1","role":"system","content":[]}', 'system'],
  ['{"role":"user","role":"system","content":"x"}', 'system'],
  ['{"content":"the \\"role\\":\\"user\\" of it","role":"system"}', 'system'],
  ['{"role":"\\u0075ser"}', 'user'],
  ['{"type":"function_call_output","output":"{\\"role\\":\\"user\\"}"}', undefined],
  ['{"content":{"role":"user"}}', undefined],
  ['{"role":["user"]}', undefined],
  ['not an object "role":"user"', undefined],
])('finds the role of %s', (item, role) => {
  expect(roleOf(item)).toBe(role);
});
