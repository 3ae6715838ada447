import { expect, it } from 'vitest';
import { payloadsOf, withPayloads } from '../../scripts/mutations/sites.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import type { Golden } from '../../src/golden/golden.ts';
import { generalise } from '../../src/golden/learn/generalise.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import { printJson, tryParseJson } from '../../src/wire/json.ts';
import { rendered } from '../diff/rendered.ts';
import { exchangeOf, message, sampleGolden, sampleId, sampleRunOfTwoTurns, uuid7 } from './sample-run.ts';

const golden = generalise(sampleId, [1, 2, 3].map(sampleRunOfTwoTurns));

function lifetimesOf({ variables }: Golden): Record<string, string | undefined> {
  return Object.fromEntries([...variables.values()].map(({ name, lifetime }) => [name, lifetime]));
}

it('learns from two turns what lives for an item, a request, a turn, a connection, a session or an installation', () => {
  expect(lifetimesOf(golden)).toMatchObject({
    sec_websocket_key: 'connection',
    account_id: 'installation',
    installation_id: 'installation',
    session_id: 'session',
    context_window_id: 'session',
    turn_id: 'turn',
    turn_id_2: 'turn',
    turn_started_at_unix_ms: 'turn',
    turn_started_at_unix_ms_2: 'turn',
    x_codex_ws_stream_request_start_ms: 'request',
    x_codex_ws_stream_request_start_ms_3: 'request',
    msg_id_5: 'item',
    create_time: 'item',
    create_time_5: 'item',
    user_agent: undefined,
    environment_context: undefined,
    previous_response_id: undefined,
  });
});

it('cannot distinguish the lifetimes turn and session in a single turn', () => {
  const { session_id, turn_id, x_codex_ws_stream_request_start_ms } = lifetimesOf(sampleGolden());
  expect([session_id, turn_id, x_codex_ws_stream_request_start_ms]).toEqual([
    undefined,
    undefined,
    'request',
  ]);
});

it('learns neither request nor turn for a window that lasts several requests', () => {
  const run = (n: number): Exchange[] => {
    const messages = [
      ['', 'a'],
      ['first', 'a'],
      ['second', 'b'],
    ].map(([turn = '', window = '']) => {
      const turn_id = turn === '' ? '' : uuid7(n, turn);
      return message('client', { client_metadata: { turn_id, window: uuid7(n, window) } });
    });
    return [exchangeOf(...messages)];
  };
  expect(lifetimesOf(generalise(sampleId, [run(1), run(2)]))).toEqual({
    window: undefined,
    turn_id: 'turn',
    turn_id_2: 'turn',
    window_2: undefined,
  });
});

it('compares turns within one thread, not turns of a thread with those of its subagent', () => {
  const run = (n: number): Exchange[] =>
    ['root', 'child'].map((thread) => {
      const turns = ['a', 'b'].map((turn) =>
        message('client', {
          client_metadata: { thread_id: uuid7(n, thread), turn_id: uuid7(n, thread + turn) },
        }),
      );
      const exchange = exchangeOf(...turns);
      const headers = [['thread-id', { kind: 'string', value: uuid7(n, thread) }] as const];
      return { ...exchange, request: { ...exchange.request, headers } };
    });
  expect(lifetimesOf(generalise(sampleId, [run(1), run(2)]))).toEqual({
    thread_id: 'session',
    turn_id: 'turn',
    turn_id_2: 'turn',
    thread_id_2: 'session',
    turn_id_3: 'turn',
    turn_id_4: 'turn',
  });
});

it.each([
  [
    'turn_id',
    uuid7(7, 'second turn'),
    uuid7(7, 'turn'),
    'is new for each turn, and this is the value of an earlier turn',
  ],
  ['turn_started_at_unix_ms', 60_000, 5, 'is new for each turn, and this is the value of an earlier turn'],
  [
    'x-codex-ws-stream-request-start-ms',
    60_009,
    9,
    'is new for each request, and this is the value of an earlier request',
  ],
  ['create_time', 60_007, 7, 'is new for each item, and this is the value of another item'],
  [
    'id',
    uuid7(7, 'second prompt'),
    uuid7(7, 'prompt'),
    'is new for each item, and this is the value of another item',
  ],
  ['context_window_id', uuid7(7, 'window'), uuid7(8, 'window'), 'is the same for a whole session'],
] as const)('explains the one finding for a second turn with a wrong %s', (key, right, wrong, why) => {
  const start = 1_785_432_000_000 + 7 * 60_011;
  const text = (value: string | number) => {
    if (typeof value === 'string') return value;
    return key === 'create_time' ? String((start + value) / 1000 + 1) : String(start + value);
  };
  const findings = parityFindings(golden, withLastMessage(sampleRunOfTwoTurns(7), text(right), text(wrong)));
  expect(
    findings.map(rendered).map(({ places: [place = ''], why }) => [place.split(/[.\s]/).at(-1), why]),
  ).toEqual([[key, `${key} ${why}`]]);
});

/** The exchanges with `before` replaced everywhere in the last client message, including JSON inside strings. */
function withLastMessage(exchanges: readonly Exchange[], before: string, after: string): Exchange[] {
  return exchanges.map((exchange) => {
    const last = payloadsOf(exchange, 'client').length;
    return withPayloads(exchange, 'client', (step, number) => {
      if (number !== last || step.content.kind !== 'json') return [step];
      const changed = printJson(step.content.json).replaceAll(before, after);
      const json = tryParseJson(changed)?.node ?? step.content.json;
      expect(changed).not.toBe(printJson(step.content.json));
      return [{ ...step, content: { ...step.content, json } }];
    });
  });
}
