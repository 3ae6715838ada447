import { expect, it } from 'vitest';
import { responseId } from '../../../src/proxy/sessions/event-fields.ts';

const long = 'a'.repeat(256);

it.each([
  ['{"type":"response.created","response":{"id":"resp_1","output":[]}}', 'resp_1'],
  ['{"type":"response.created","sequence_number":0,"response":{"id":"resp_a-b.c:d"}}', 'resp_a-b.c:d'],
  ['{"type":"response.created","item":{"response":{"id":"resp_1"}},"response":{"id":"resp_2"}}', 'resp_2'],
  ['{"type":"response.created","response":{"usage":{"id":"resp_1"},"id":"resp_2"}}', 'resp_2'],
  ['{"response": {"id": "resp_1"}, "type": "response.created"}', 'resp_1'],
  ['{"type":"response.created","response":{"id":"resp_\\u0031"}}', 'resp_1'],
  ['{"type":"response.created","response":{"id":"zwölf"}}', 'zwölf'],
  [`{"type":"response.created","response":{"id":"${long}"}}`, long],
  [`{"type":"response.created","response":{"id":"${long}a"}}`, undefined],
  ['{"type":"response.created","response":{"id":1}}', undefined],
  ['{"type":"response.created","text":"\\"response\\":{\\"id\\":\\"resp_1\\""}', undefined],
  ['{"type":"error"}', undefined],
])('reads the id of the response in %s', (text, id) => {
  expect(responseId(text)).toBe(id);
});
