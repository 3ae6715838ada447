import { expect, it } from 'vitest';
import { usesWebSockets } from '../../../src/proxy/sign-in/stored-sign-in.ts';
import { toNode } from '../../../src/wire/json.ts';

it.each([
  { file: {}, uses: true, why: 'the file does not say' },
  { file: { websockets: null }, uses: true, why: 'the value is null' },
  { file: { websockets: '' }, uses: true, why: 'the string is empty' },
  { file: { websockets: true }, uses: true, why: 'the value is true' },
  { file: { websockets: false }, uses: false, why: 'the value is false' },
  { file: { websockets: 'true' }, uses: true, why: 'the value is the string true' },
  { file: { websockets: 'false' }, uses: false, why: 'the value is the string false' },
  { file: { websockets: ' False ' }, uses: false, why: 'the value is a string with spaces and another case' },
  { file: { tokens: { websockets: false } }, uses: true, why: 'another object has the member' },
])('returns $uses if $why', ({ file, uses }) => {
  expect(usesWebSockets(toNode(file))).toBe(uses);
});
