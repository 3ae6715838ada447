import { expect, it } from 'vitest';
import { lastEventOf } from '../../src/proxy/relay/last-event.ts';

it.each([
  ['{"type":"response.completed","response":{}}', 'response.completed'],
  ['{"type":"response.failed"}', 'response.failed'],
  ['{"type":"error","error":{}}', 'error'],
  ['{"type":"response.output_text.delta","delta":"error"}', undefined],
  ['{"id":"x","type":"error"}', undefined],
  // Without the end of the name.
  ['{"type":"errorX', undefined],
  ['', undefined],
])('finds in %s the last event %s', (head, type) => expect(lastEventOf(head)).toBe(type));
