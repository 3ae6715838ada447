import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  type FaultRule,
  faultKinds,
  faultRules,
  PendingWireFaults,
  parseFault,
} from '../../src/fault/fault.ts';
import { parseScenario } from '../../src/scenario/scenario.ts';

it.each([
  ['reset', { kind: 'reset', number: 0, place: { at: 'message', nth: 1, every: false } }],
  ['status', { kind: 'status', number: 503, place: { at: 'upgrade', nth: 1, every: false } }],
  ['status:401@token:every', { kind: 'status', number: 401, place: { at: 'token', nth: 1, every: true } }],
  [
    'twice',
    { kind: 'twice', number: 0, place: { at: 'message', type: 'response.completed', nth: 1, every: false } },
  ],
  [
    'stall@response.output_text.delta:3',
    {
      kind: 'stall',
      number: 0,
      place: { at: 'message', type: 'response.output_text.delta', nth: 3, every: false },
    },
  ],
  [
    'tls-alert@handshake:every',
    { kind: 'tls-alert', number: 0, place: { at: 'handshake', nth: 1, every: true } },
  ],
  ['drop@byte:1000', { kind: 'drop', number: 0, place: { at: 'byte', nth: 1000, every: false } }],
])('reads %s', (text, fault) => {
  expect(parseFault(text)).toEqual({ text, ...fault });
});

it.each(faultKinds)('reads %s without a place', (kind) => {
  expect(parseFault(kind).kind).toBe(kind);
});

it.each([
  ['', 'write it as KIND[:NUMBER][@PLACE[:N][:every]], such as reset@response.completed'],
  ['reset@', 'write it as KIND'],
  ['rest', 'no kind "rest": did you mean "reset"?'],
  ['reset:5', 'reset takes no number'],
  ['status:200', 'the HTTP status must be from 400 to 599'],
  ['reset@upgrad', 'no place "upgrad": did you mean "upgrade"?'],
  ['reset@message:0', 'places are counted from 1'],
  ['status@message', 'it happens at a request'],
  ['status@handshake', 'it happens at a request, not before one'],
  ['malformed@handshake', 'it happens within a response, not at handshake'],
  ['malformed@upgrade', 'it happens within a response, not at upgrade'],
  ['malformed@byte:5', 'it happens at a message, not within one'],
  ['reset@byte', 'name the byte, as in reset@byte:1000'],
])('explains what is wrong with "%s"', (text, problem) => {
  expect(() => parseFault(text)).toThrow(`fault "${text}": ${problem}`);
});

it('is part of scenario files', () => {
  const scenario = { name: 'n', why: 'w', client: { prompt: 'p', config: {} }, backend: [] };
  const withFault = (fault: string) =>
    parseScenario(JSON.stringify({ ...scenario, faults: { wire: [fault] } }), 'n.json').faults?.wire;
  expect(withFault('close:1008')).toEqual([parseFault('close:1008')]);
  expect(() => withFault('close:5')).toThrow(
    'scenario n.json: faults.wire.0 fault "close:5": the close code must be from 1000 to 4999',
  );
});

const message = { at: 'message', type: 'a', over: 'http' } as const;

it('counts messages and bytes on each connection, and happens once', () => {
  const pending = new PendingWireFaults(['reset@message:2', 'drop@byte:10'].map(parseFault));
  expect(pending.left()).toEqual(['reset@message:2', 'drop@byte:10']);
  const at = (connection: number) => pending.at(message, connection)?.text;
  expect([at(1), at(2), at(2), at(1)]).toEqual([undefined, undefined, 'reset@message:2', undefined]);
  expect([pending.within(6, 1), pending.within(6, 2), pending.within(6, 1), pending.within(6, 2)]).toEqual([
    ...[undefined, undefined],
    { fault: parseFault('drop@byte:10'), after: 4 },
    undefined,
  ]);
  expect(pending.left()).toEqual([]);
});

it('happens on every connection, and at every request', () => {
  const pending = new PendingWireFaults(['reset@message:2:every', 'status@post:every'].map(parseFault));
  const at = (connection: number) => pending.at(message, connection)?.kind;
  expect([at(1), at(1), at(1), at(2), at(2)]).toEqual([undefined, 'reset', undefined, undefined, 'reset']);
  expect([1, 1, 2].map((connection) => pending.at({ at: 'post' }, connection)?.kind)).toEqual([
    ...['status', 'status', 'status'],
  ]);
  const second = new PendingWireFaults([parseFault('status@post:2')]);
  expect([1, 2, 3].map((connection) => second.at({ at: 'post' }, connection)?.kind)).toEqual([
    ...[undefined, 'status', undefined],
  ]);
});

it('is described in docs/format.md (npx vitest run test/fault/fault.test.ts -u writes it)', async () => {
  const document = join(import.meta.dirname, '..', '..', 'docs', 'format.md');
  const rows = faultKinds.map((kind) => {
    const rule: FaultRule = faultRules[kind];
    const marks = [...(rule.websocketOnly ? ['*ws*'] : []), ...(rule.backendOnly ? ['*backend*'] : [])];
    const number = rule.number === undefined ? '' : `${rule.number.name}; ${rule.number.default}`;
    return [`\`${kind}\``, [rule.effect, ...marks].join('; '), number, `\`${rule.place}\``];
  });
  const table = [['kind', 'what it does', 'number; default', 'default place'], ...rows];
  const widths = [0, 1, 2, 3].map((at) => Math.max(...table.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const lines = [line(table[0] ?? []), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
  const text = readFileSync(document, 'utf8').replace(
    /<!-- faults -->.*<!-- end of faults -->/s,
    `<!-- faults -->\n\n${lines.join('\n')}\n\n<!-- end of faults -->`,
  );
  await expect(text).toMatchFileSnapshot(document);
});
