import { expect, it } from 'vitest';
import { backendWith, connect, post, turn } from './backend-client.ts';

const compaction = { ...turn, input: [{ type: 'message' }, { type: 'compaction_trigger' }] };
const subagent = { 'x-openai-subagent': 'review' };

it('keeps a reply for whom it is for, over the websocket', async () => {
  const { backend } = await backendWith(
    { reply: 'text', text: 'summary', to: 'compaction' },
    { reply: 'text', text: 'reviewed', to: 'subagent' },
    { reply: 'text', text: 'said', to: 'turn' },
  );
  const thread = await connect(backend);
  const reviewer = await connect(backend, '/backend-api/codex/responses', subagent);

  expect(await thread.ask(turn)).toContainEqual(expect.objectContaining({ delta: 'said' }));
  expect(await reviewer.ask(turn)).toContainEqual(expect.objectContaining({ delta: 'reviewed' }));
  expect(await thread.ask(compaction)).toContainEqual(
    expect.objectContaining({
      type: 'response.output_item.done',
      item: {
        id: expect.stringMatching(/^cmp_[0-9a-f]{48}$/),
        type: 'compaction',
        encrypted_content: 'summary',
      },
    }),
  );
  expect(backend.deviations()).toEqual([]);
});

it('keeps a reply for whom it is for, over HTTP', async () => {
  const { backend } = await backendWith(
    { reply: 'text', text: 'summary', to: 'compaction' },
    { reply: 'text', text: 'reviewed', to: 'subagent' },
    { reply: 'text', text: 'said', to: 'turn' },
  );

  expect((await post(backend, turn)).datas.join()).toContain('"delta":"said"');
  expect((await post(backend, turn, { headers: subagent })).datas.join()).toContain('"delta":"reviewed"');
  expect((await post(backend, compaction)).datas.join()).toContain('"encrypted_content":"summary"');
});

it('gives a reply for nobody in particular to whoever asks', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'first' }, { reply: 'text', text: 'second' });
  const reviewer = await connect(backend, '/backend-api/codex/responses', subagent);

  expect(await reviewer.ask(turn)).toContainEqual(expect.objectContaining({ delta: 'first' }));
  expect((await post(backend, turn)).datas.join()).toContain('"delta":"second"');
});

it('refuses a request when all replies left are for others, and tells so', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'reviewed', to: 'subagent' });
  const { ask } = await connect(backend);

  expect(await ask(turn)).toMatchObject([{ type: 'error', error: { code: 'script_exhausted' } }]);
  expect(backend.deviations()).toEqual(['0 of 1 replies used', 'missing replies: 1']);
});

it('compacts a thread by a POST of its own, with the items to go on from', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'summary', to: 'compaction' });

  const { status, bytes } = await post(
    backend,
    { model: 'gpt-test', input: [] },
    { path: '/backend-api/codex/responses/compact' },
  );

  expect(status).toBe(200);
  expect(JSON.parse(bytes.toString('utf8'))).toEqual({
    output: [{ id: expect.any(String), type: 'compaction', encrypted_content: 'summary' }],
  });
});

it('refuses to compact with the error of the script', async () => {
  const { backend } = await backendWith({ reply: 'error', status: 500, error: '{"code":"server_error"}' });

  const { status, bytes } = await post(backend, turn, { path: '/v1/responses/compact' });

  expect([status, bytes.toString('utf8')]).toEqual([500, '{"error":{"code":"server_error"}}']);
});
