import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const sessions = join(import.meta.dirname, '../../../src/proxy/sessions');

/** Takes down a conversation of 200 turns, each with tools of 200 KB, and tells what that holds in memory. */
const program = `
import { History } from '${sessions}/history.ts';
import { readTurn } from '${sessions}/turn-request.ts';
const held = () => { gc(); return process.memoryUsage().heapUsed; };
const history = new History(1_000_000);
const tools = [{ description: 'x'.repeat(200_000) }];
const before = held();
let full = [];
for (let n = 0; n < 200; n += 1) {
  const previous_response_id = history.last;
  const input = [{ role: 'user', content: 'the question with the number ' + n }];
  const request = Buffer.from(JSON.stringify({ model: 'm', tools, previous_response_id, input })).toString();
  const notes = history.begin(readTurn(request));
  full = notes.full;
  const item = JSON.stringify({ type: 'response.output_item.done', item: { id: 'the item with the number ' + n } });
  notes.hear('response.output_item.done', ('x'.repeat(200_000) + item).slice(200_000));
  notes.hear('response.completed', JSON.stringify({ type: 'response.completed', response: { id: 'resp_' + n } }));
}
console.log(JSON.stringify({ items: full.length, held: held() - before }));
`;

it('remembers what was said without the requests and streams that it was said in', () => {
  const words = ['--expose-gc', '--input-type=module', '--eval', program];
  const { items, held } = JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' }));
  expect(items).toBe(399);
  expect(held).toBeLessThan(5_000_000);
});
