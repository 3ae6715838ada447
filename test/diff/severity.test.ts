import { expect, it } from 'vitest';
import { type Severity, severityOf } from '../../src/diff/severity.ts';
import { type Difference, jsonValue, type Place } from '../../src/golden/match/mismatch.ts';
import { jsonString, toNode } from '../../src/wire/json.ts';

const header = (name: string): Place => ({ exchange: 1, side: 'client', part: 'handshake', path: [name] });
const key = (...path: (string | number)[]): Place => ({
  exchange: 1,
  side: 'client',
  part: 'message',
  number: 1,
  path,
});
const changed = (from: string, to: string): Difference => ({
  kind: 'changed',
  expected: jsonValue(jsonString(from)),
  actual: jsonValue(jsonString(to)),
});
const order: Difference = {
  kind: 'moved',
  order: { moved: ['a'], expected: ['a', 'b'], actual: ['b', 'a'] },
};
const item: Difference = { kind: 'moved', item: toNode({ type: 'x' }), from: 0, to: 1 };
const recased: Difference = { kind: 'recased', names: [{ from: 'model', to: 'Model' }] };
const reframed = (aspect: 'opcode' | 'compressed' | 'fragments' | 'complete'): Difference => ({
  kind: 'reframed',
  aspect,
  expected: true,
  actual: false,
});

it.each<[string, Difference, Place, Severity]>([
  ['headers in another order', order, header('a'), 'shape'],
  ['keys in another order', order, key('a'), 'shape'],
  ['input items in another order', item, key('input', 1), 'breaks'],
  ['tools in another order', item, key('tools', 1), 'breaks'],
  ['messages in another order', item, key(), 'breaks'],
  ['a header name in another case', recased, header('model'), 'shape'],
  ['a JSON key in another case', recased, key('model'), 'breaks'],
  ['a JSON key in another case in turn metadata', recased, key('client_metadata', 'model'), 'identity'],
  ['Connection: upgrade', changed('Upgrade', 'upgrade'), header('Connection'), 'shape'],
  ['Upgrade: WebSocket', changed('websocket', 'WebSocket'), header('Upgrade'), 'shape'],
  ['another media type', changed('application/json', 'text/plain'), header('content-type'), 'breaks'],
  ['a media type in another case', changed('text/html', 'Text/HTML'), header('content-type'), 'shape'],
  ['a token in another case', changed('Bearer abc', 'bearer ABC'), header('authorization'), 'breaks'],
  ['a value of a body in another case', changed('Upgrade', 'upgrade'), key('connection'), 'breaks'],
  ['compression', reframed('compressed'), key(), 'shape'],
  ['fragments', reframed('fragments'), key(), 'shape'],
  ['a binary message', reframed('opcode'), key(), 'breaks'],
  ['a body that breaks off', reframed('complete'), key(), 'breaks'],
])('%s: severity by effect', (_, difference, place, severity) => {
  expect(severityOf({ comparison: 'parity', ...difference, places: [place] })).toBe(severity);
});
