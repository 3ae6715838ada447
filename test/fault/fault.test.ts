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
  ['reset', { kind: 'reset', number: 0, place: { at: 'message', nth: 1 } }],
  ['status', { kind: 'status', number: 503, place: { at: 'upgrade', nth: 1 } }],
  ['status:401@token:every', { kind: 'status', number: 401, place: { at: 'token', nth: 'every' } }],
  ['twice', { kind: 'twice', number: 0, place: { at: 'message', type: 'response.completed', nth: 1 } }],
  [
    'stall@response.output_text.delta:3',
    { kind: 'stall', number: 0, place: { at: 'message', type: 'response.output_text.delta', nth: 3 } },
  ],
  ['drop@byte:1000', { kind: 'drop', number: 0, place: { at: 'byte', nth: 1000 } }],
])('reads %s', (text, fault) => {
  expect(parseFault(text)).toEqual({ text, ...fault });
});

it.each(faultKinds)('reads %s without a place', (kind) => {
  expect(parseFault(kind).kind).toBe(kind);
});

it.each([
  ['', 'write it as KIND[:NUMBER][@PLACE[:N]], such as reset@response.completed'],
  ['reset@', 'write it as KIND'],
  ['rest', 'no kind "rest": did you mean "reset"?'],
  ['reset:5', 'reset takes no number'],
  ['status:200', 'the HTTP status must be from 400 to 599'],
  ['reset@upgrad', 'no place "upgrad": did you mean "upgrade"?'],
  ['reset@message:0', 'occasions are counted from 1'],
  ['status@message', 'it happens at a request'],
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

it('happens at its occasion alone', () => {
  const pending = new PendingWireFaults(
    ['reset@message:2', 'status@post:every', 'drop@byte:10'].map(parseFault),
  );
  const message = () => pending.at({ at: 'message', type: 'a', over: 'http' })?.text;
  expect([message(), message(), message()]).toEqual([undefined, 'reset@message:2', undefined]);
  expect([1, 2].map(() => pending.at({ at: 'post' })?.text)).toEqual([
    'status@post:every',
    'status@post:every',
  ]);
  expect(pending.left()).toEqual(['drop@byte:10']);
  expect([pending.within(6), pending.within(6), pending.within(6)]).toEqual([
    undefined,
    { fault: parseFault('drop@byte:10'), after: 4 },
    undefined,
  ]);
  expect(pending.left()).toEqual([]);
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
