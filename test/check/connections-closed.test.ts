import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { connectionsClosed } from '../../src/check/observe.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';

const opened: TraceEvent = { type: 'connection', connection: 1, authority: '', tls: null };
const ended: TraceEvent = { type: 'end', connection: 1, by: 'client' };

/** What happens while connectionsClosed waits, until it resolves. */
async function seenBefore(
  options: Parameters<typeof connectionsClosed>[1],
  later: readonly TraceEvent[],
  earlier: readonly TraceEvent[] = [],
) {
  const back = [...earlier];
  const waiting = connectionsClosed(back, options).then(() => [...back]);
  for (const event of later) {
    await delay(50);
    back.push(event);
  }
  return waiting;
}

it('waits for a connection that is not open yet', async () => {
  expect(await seenBefore({ most: 60_000, since: 0 }, [opened, ended])).toEqual([opened, ended]);
});

it('waits for that connection although others have ended before', async () => {
  const earlier = [opened, ended, opened, ended];
  const seen = await seenBefore({ most: 60_000, since: 4 }, [opened, ended], earlier);
  expect(seen).toEqual([...earlier, opened, ended]);
});

it('does not wait if nothing is open, and no longer than it may', async () => {
  expect(await seenBefore({}, [opened])).toEqual([]);
  expect(await seenBefore({ most: 5, since: 0 }, [opened])).toEqual([]);
});
