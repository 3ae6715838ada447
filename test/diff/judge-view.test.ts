import { describe, expect, it } from 'vitest';
import { type ClientView, clientView, type SeenEnd } from '../../src/diff/client-view.ts';
import { compareViews, judgeView } from '../../src/diff/judge-view.ts';
import type { MessageEvent, TraceEvent } from '../../src/trace/trace-event.ts';
import { jsonString, parseJson } from '../../src/wire/json.ts';
import type { Opcode } from '../../src/wire/message.ts';

const seen = (types: string, end: SeenEnd = 'complete', status = 101): ClientView => ({
  exchanges: [
    { method: 'GET', status, messages: [...types].map((type) => ({ type, text: `text of ${type}` })), end },
  ],
  ids: new Set(),
});

describe('compareViews', () => {
  it.each([
    ['abcd', 'abcd', []],
    ['abcd', 'ad', ['exchange 1: lost b and 1 more']],
    ['abcd', 'abbcd', ['exchange 1: doubled b']],
    ['abcd', 'abxcd', ['exchange 1: added x']],
    ['abcd', 'acbd', ['exchange 1: messages in another order']],
    ['abcd', 'abdx', ['exchange 1: lost c', 'exchange 1: added x']],
  ])('of %s and %s', (expected, actual, problems) => {
    expect(compareViews(seen(expected), seen(actual))).toEqual(problems);
  });

  it('tells a second response from other messages, and other ids from another order', () => {
    const withIds = (...texts: readonly string[]): ClientView => ({
      exchanges: [
        { method: 'GET', status: 101, messages: texts.map((text) => ({ type: 'x', text })), end: 'complete' },
      ],
      ids: new Set(),
    });
    const response = withIds('a <id 1>', 'b <id 1>');
    expect(compareViews(response, withIds('a <id 1>', 'b <id 1>', 'a <id 2>', 'b <id 2>'))).toEqual([
      'exchange 1: doubled x and 1 more',
    ]);
    expect(compareViews(response, withIds('a <id 1>', 'b <id 2>'))).toEqual([
      'exchange 1: messages with other ids',
    ]);
  });

  it('compares statuses, ends and the number of exchanges', () => {
    expect(compareViews(seen('a'), seen('a', 'lost'))).toEqual([
      'exchange 1: lost after 1 message, directly complete after 1 message',
    ]);
    expect(compareViews(seen('', 'refused', 500), seen('', 'refused', 502))).toEqual([
      'exchange 1: refused with 502, directly refused with 500',
    ]);
    const none = { exchanges: [], ids: new Set<string>() };
    expect(compareViews(seen('a'), none)).toEqual(['exchange 1: not made']);
    expect(compareViews(none, seen('a'))).toEqual(['exchange 1: not made directly']);
  });
});

describe('judgeView', () => {
  const plain = seen('abcd');
  const direct = seen('ab', 'lost');
  const atThird = { mayBeReported: true, mayBeMended: false, exchange: 0, message: 3, plain, direct };
  const wrong = (view: ClientView, judged = atThird) => {
    const verdict = judgeView(view, judged);
    return verdict.type === 'wrong' ? verdict.problems : verdict;
  };

  it.each<[SeenEnd, string]>([
    ['lost', 'same'],
    ['closed 1011', 'reported'],
  ])('accepts that the connection is %s', (end, type) => {
    expect(judgeView(seen('ab', end), atThird)).toEqual({ type, end });
  });

  it('accepts an error of the subject before a close', () => {
    const [exchange] = seen('ab', 'closed 1011').exchanges;
    const error = { type: 'error', text: 'the connection was lost' };
    const closed = exchange && { ...exchange, messages: [...exchange.messages, error] };
    const view = { exchanges: closed === undefined ? [] : [closed], ids: new Set<string>() };
    expect(judgeView(view, atThird)).toEqual({ type: 'reported', end: 'closed 1011' });
  });

  it('accepts a whole response only where the subject may try again', () => {
    const mended = { ...atThird, mayBeMended: true };
    expect(judgeView(plain, mended)).toEqual({ type: 'mended', end: 'complete' });
    expect(wrong(seen('abcdd'), mended)).toContain('exchange 1: added c and 2 more');
    expect(wrong(plain)).toContain('exchange 1: complete after 4 messages instead of a failure');
  });

  it('accepts an error of the subject, but no other message', () => {
    expect(judgeView(seen('abx', 'error'), atThird)).toEqual({ type: 'reported', end: 'error' });
    expect(wrong(seen('abxy', 'error'))).toEqual(['exchange 1: added x']);
    expect(wrong(seen('ax', 'error'))).toEqual(['exchange 1: lost b']);
  });

  it('accepts neither success nor silence after a failure', () => {
    expect(wrong(seen('ab', 'closed 1000'))).toEqual([
      'exchange 1: closed 1000 after 2 messages instead of a failure',
    ]);
    expect(wrong(seen('ab', 'silent'))).toEqual(['exchange 1: silent after 2 messages instead of a failure']);
    expect(wrong(seen('abcd'))).toEqual([
      'exchange 1: added c and 1 more',
      'exchange 1: complete after 4 messages instead of a failure',
    ]);
  });

  it('accepts a refusal at the request alone, from 500 on', () => {
    const refused = (status: number) => seen('x', 'refused', status);
    const atRequest = { ...atThird, message: 0, direct: seen('', 'lost') };
    expect(judgeView(refused(502), atRequest)).toEqual({ type: 'reported', end: 'refused' });
    expect(wrong(refused(404), atRequest)).toEqual(['exchange 1: refused with 404 instead of a failure']);
    expect(wrong(refused(502))).toEqual(['exchange 1: refused with 502']);
  });

  it('accepts only what is seen directly where a proxy can pass on the failure', () => {
    expect(wrong(seen('ab', 'closed 1011'), { ...atThird, mayBeReported: false })).toEqual([
      'exchange 1: closed 1011 after 2 messages, directly lost after 2 messages',
    ]);
  });
});

describe('clientView', () => {
  const request = (exchange: number): TraceEvent[] => [
    { type: 'connection', connection: exchange, authority: 'a', tls: null },
    {
      ...{ type: 'request', connection: exchange, exchange, method: 'GET' },
      ...{ target: jsonString('/responses'), headers: [] },
    },
    { type: 'response', exchange, status: 101, headers: [] },
  ];
  const message = (json: string, opcode: Opcode = 'text'): MessageEvent => ({
    ...{ type: 'message', exchange: 1, from: 'backend', opcode, compressed: false, fragments: 1 },
    content: { kind: 'json', json: parseJson(json).node, spaced: false },
  });
  const id = (prefix: string, digit: string) => `${prefix}_${digit.repeat(48)}`;

  it('numbers ids, and leaves out clocks and pings', () => {
    const view = (digit: string, clock: number) =>
      clientView([
        ...request(1),
        message(`{"type":"response.created","id":"${id('resp', digit)}","created_at":${clock}}`),
        message('{}', 'ping'),
        message(`{"type":"response.completed","id":"${id('resp', digit)}","item":"${id('msg', digit)}"}`),
      ]);
    expect(view('a', 1).exchanges).toEqual(view('b', 2).exchanges);
    expect(view('a', 1).exchanges[0]).toMatchObject({ end: 'complete', messages: [{}, {}] });
    expect([...view('a', 1).ids]).toEqual([id('resp', 'a')]);
  });

  it.each<[SeenEnd, TraceEvent[]]>([
    ['silent', []],
    ['error', [message('{"type":"error"}')]],
    ['lost', [{ type: 'end', connection: 1, by: 'backend' }]],
    ['silent', [{ type: 'end', connection: 1, by: 'client' }]],
    ['broken', [{ type: 'undecodable', connection: 1, from: 'backend', reason: 'r' }]],
    ['closed 1011', [{ ...message('{}', 'close'), content: { kind: 'close', code: 1011 } }]],
  ])('ends as %s', (end, events) => {
    expect(clientView([...request(1), ...events]).exchanges[0]?.end).toBe(end);
  });
});
