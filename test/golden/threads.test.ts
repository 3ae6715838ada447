import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parityFindings } from '../../src/diff/parity.ts';
import { eventsOf, exchangesOf } from '../../src/golden/trace/exchanges.ts';
import type { HeaderField, TraceEvent } from '../../src/trace/trace-event.ts';
import { jsonString } from '../../src/wire/json.ts';
import { committedGolden } from './committed-goldens.ts';
import { fillGolden } from './fill-golden.ts';
import { uuid7 } from './sample-run.ts';

const folder = join(import.meta.dirname, '..', '..', 'traces', '0.169.0', 'chatgpt');
const identity = [
  'session-id',
  'thread-id',
  'x-client-request-id',
  'x-codex-window-id',
  'x-codex-parent-thread-id',
  'x-openai-subagent',
  'x-codex-turn-metadata',
];

/** Every request of a scenario with one identity header changed; undefined removes it. */
const cases = ['http-tool-turn', 'http-fallback', 'subagent', 'review'].flatMap((scenario) => {
  const golden = committedGolden(join(folder, `${scenario}.golden.jsonl`));
  return golden.exchanges.flatMap((exchange, index) =>
    identity
      .filter((name) => exchange.request.headers.some(([own]) => own === name))
      .flatMap((name) => [
        { scenario, golden, number: index + 1, name, how: 'missing', value: undefined },
        { scenario, golden, number: index + 1, name, how: 'another', value: uuid7(99, 'other') },
      ]),
  );
});

it.each(cases)(
  'reports $how $name in request $number of $scenario once, at that request',
  ({ golden, number, name, value }) => {
    const events = fillGolden(golden, 1)
      .flatMap(eventsOf)
      .map(
        (event): TraceEvent =>
          event.type === 'request' && event.exchange === number
            ? { ...event, headers: event.headers.flatMap((header) => replaced(header, name, value)) }
            : event,
      );
    const findings = parityFindings(golden, exchangesOf(events));
    expect(findings.map(({ places: [place] }) => [place?.exchange, place?.part, place?.path])).toEqual([
      [number, 'handshake', [name]],
    ]);
  },
);

function replaced(header: HeaderField, name: string, value: string | undefined): HeaderField[] {
  if (header[0] !== name) return [header];
  return value === undefined ? [] : [[name, jsonString(value)]];
}
