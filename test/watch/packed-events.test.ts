import { expect, it } from 'vitest';
import { PackedEvents } from '../../src/watch/packed-events.ts';
import { madeUpSession, text } from './made-up-session.ts';

const events = madeUpSession({
  turns: Array.from({ length: 50 }, (_, index) => ({ body: { input: [text(`é "${index}"\n`.repeat(30))] } })),
}).map(([event, at]) => ('exchange' in event ? { ...event, at: at + 0.25 } : event));

it('returns the events as they were, in their order and with fractions of their times', () => {
  const packed = new PackedEvents();
  for (const event of events) packed.add(event);
  expect(packed.count).toBe(events.length);
  expect([...packed.unpack()]).toEqual(events);
});

it('keeps them in a fraction of the bytes that they have as text', () => {
  const packed = new PackedEvents();
  for (const event of events) packed.add(event);
  expect(packed.bytes).toBeLessThan(JSON.stringify(events).length / 4);
});
