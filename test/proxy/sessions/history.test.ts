import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

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
