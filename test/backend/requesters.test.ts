import { expect, it } from 'vitest';
import { backendWith, connect, post, turn } from './backend-client.ts';

const compaction = { ...turn, input: [{ type: 'message' }, { type: 'compaction_trigger' }] };
const subagent = { 'x-openai-subagent': 'review' };

it('keeps a reply for its recipient, over the websocket', async () => {
  const { backend } = await backendWith(
    { reply: 'text', text: 'summary', to: 'compaction' },
    { reply: 'text', text: 'reviewed', to: 'subagent' },
    { reply: 'text', text: 'OK', to: 'turn' },
  );
  const thread = await connect(backend);
  const reviewer = await connect(backend, '/backend-api/codex/responses', subagent);

  expect(await thread.request(turn)).toContainEqual(expect.objectContaining({ delta: 'OK' }));
  expect(await reviewer.request(turn)).toContainEqual(expect.objectContaining({ delta: 'reviewed' }));
  expect(await thread.request(compaction)).toContainEqual(
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

it('keeps a reply for its recipient, over HTTP', async () => {
  const { backend } = await backendWith(
    { reply: 'text', text: 'summary', to: 'compaction' },
    { reply: 'text', text: 'reviewed', to: 'subagent' },
    { reply: 'text', text: 'OK', to: 'turn' },
  );

  expect((await post(backend, turn)).datas.join()).toContain('"delta":"OK"');
  expect((await post(backend, turn, { headers: subagent })).datas.join()).toContain('"delta":"reviewed"');
  expect((await post(backend, compaction)).datas.join()).toContain('"encrypted_content":"summary"');
});

it('uses a reply without a recipient for any request', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'first' }, { reply: 'text', text: 'second' });
  const reviewer = await connect(backend, '/backend-api/codex/responses', subagent);

  expect(await reviewer.request(turn)).toContainEqual(expect.objectContaining({ delta: 'first' }));
  expect((await post(backend, turn)).datas.join()).toContain('"delta":"second"');
});

it('refuses a request when all remaining replies are for other recipients, and reports it', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'reviewed', to: 'subagent' });
  const { request } = await connect(backend);

  expect(await request(turn)).toMatchObject([{ type: 'error', error: { code: 'script_exhausted' } }]);
  expect(backend.deviations()).toEqual(['0 of 1 replies used', 'missing replies: 1']);
});

it('compacts a thread by a POST, with the items to continue from', async () => {
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
