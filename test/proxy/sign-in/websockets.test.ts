import { expect, it } from 'vitest';
import { usesWebSockets } from '../../../src/proxy/sign-in/websockets.ts';
import { toNode } from '../../../src/wire/json.ts';

it.each([
  { file: {}, uses: true, why: 'nothing is said' },
  { file: { websockets: null }, uses: true, why: 'null is said' },
  { file: { websockets: '' }, uses: true, why: 'the text says neither' },
  { file: { websockets: true }, uses: true, why: 'true is said' },
  { file: { websockets: false }, uses: false, why: 'false is said' },
  { file: { websockets: 'true' }, uses: true, why: 'true is said as text' },
  { file: { websockets: 'false' }, uses: false, why: 'false is said as text' },
  { file: { websockets: ' False ' }, uses: false, why: 'false is said as text, in another case' },
  { file: { tokens: { websockets: false } }, uses: true, why: 'false is said of something else' },
])('gives $uses where $why', ({ file, uses }) => {
  expect(usesWebSockets(toNode(file))).toBe(uses);
});
