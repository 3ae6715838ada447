import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { History } from '../../../src/proxy/sessions/history.ts';
import { readTurnRequest } from '../../../src/proxy/sessions/turn-request.ts';

const sessions = join(import.meta.dirname, '../../../src/proxy/sessions');

/** Records 200 turns, each with 200 KB of tools, and prints how much memory the history uses. */
const program = `
import { History } from '${sessions}/history.ts';
import { readTurnRequest } from '${sessions}/turn-request.ts';
const heapUsed = () => { gc(); return process.memoryUsage().heapUsed; };
const history = new History(1_000_000);
const tools = [{ description: 'x'.repeat(200_000) }];
const before = heapUsed();
let fullInput = [];
for (let n = 0; n < 200; n += 1) {
  const previous_response_id = history.lastResponseId;
  const input = [{ role: 'user', content: 'the question with the number ' + n }];
  const request = Buffer.from(JSON.stringify({ model: 'm', tools, previous_response_id, input })).toString();
  const recorder = history.startTurn(readTurnRequest(request, { isLite: () => false }));
  fullInput = recorder.fullInput;
  const item = JSON.stringify({ type: 'response.output_item.done', item: { id: 'the item with the number ' + n } });
  recorder.record('response.output_item.done', ('x'.repeat(200_000) + item).slice(200_000));
  recorder.record('response.completed', JSON.stringify({ type: 'response.completed', response: { id: 'resp_' + n } }));
}
console.log(JSON.stringify({ items: fullInput.length, bytes: heapUsed() - before }));
`;

it('keeps items in memory without the requests and streams that contained them', () => {
  const args = ['--expose-gc', '--input-type=module', '--eval', program];
  const { items, bytes } = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  expect(items).toBe(399);
  expect(bytes).toBeLessThan(5_000_000);
});

/** The last event as the client receives it, after two items. */
function lastEvent(type: string, response: string): string {
  const request = readTurnRequest('{"model":"m","input":"hello"}', { isLite: () => false });
  const recorder = new History(1_000_000).startTurn(request);
  for (const id of ['rs_1', 'msg_1']) {
    recorder.record(
      'response.output_item.done',
      `{"type":"response.output_item.done","item":{"id":"${id}"}}`,
    );
  }
  return recorder.withOutput(type, `{"type":"${type}","response":${response},"sequence_number":9}`);
}

const items = '[{"id":"rs_1"},{"id":"msg_1"}]';

it.each([
  ['an empty output', '{"output":[],"at":5.0}', `{"output":${items},"at":5.0}`],
  ['an output of null', '{"output":null,"at":5.0}', `{"output":${items},"at":5.0}`],
  ['a missing output', '{"at":5.0}', `{"at":5.0,"output":${items}}`],
  ['an output of its own', '{"output":[{"id":"msg_2"}]}', '{"output":[{"id":"msg_2"}]}'],
])('completes %s in the last event', (_, response, expected) => {
  for (const type of ['response.completed', 'response.incomplete']) {
    expect(lastEvent(type, response)).toBe(`{"type":"${type}","response":${expected},"sequence_number":9}`);
  }
});

it('leaves all other events as they are', () => {
  expect(lastEvent('response.in_progress', '{"output":[]}')).toContain('"output":[]');
  expect(lastEvent('error', 'null')).toContain('"response":null');
});
