import { expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import type { BackendObservation } from '../../src/backend/respond.ts';
import { openWebSocket, post, proxyTo, receiveResponse } from './setup.ts';

const look = { name: 'look', description: 'Looks.', parameters: { type: 'object', properties: {} } };

/** Members that programs send and the backend refuses. */
const refused = {
  temperature: 0,
  top_p: 1,
  user: 'u',
  metadata: { a: 'b' },
  store: true,
  seed: 1,
  stop: 'x',
};

type Surface = {
  readonly name: string;
  /** Sends a conversation of two requests, the second one with what the first returned. Returns the last text. */
  readonly converse: (origin: string, model: string) => Promise<unknown>;
};

type Item = { readonly type: string; readonly call_id?: string; readonly content?: { text: string }[] };

const textOf = (output: readonly Item[]) => output.at(-1)?.content?.[0]?.text;

/** Runs the tool of a response, and returns the input for the next request. */
function withToolOutputs(input: readonly object[], output: readonly Item[]): object[] {
  const calls = output.filter(({ type }) => type === 'function_call');
  const outputs = calls.map(({ call_id }) => ({ type: 'function_call_output', call_id, output: 'seen' }));
  return [...input, ...output, ...outputs];
}

const responses = (input: object[] | string, more: object) => ({
  ...refused,
  max_output_tokens: 100,
  truncation: 'auto',
  input,
  tools: [{ type: 'function', strict: false, ...look }],
  ...more,
});

const prompt = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Look!' },
];

async function converse(send: (input: object[]) => Promise<readonly Item[]>): Promise<unknown> {
  const output = await send(prompt);
  const next = withToolOutputs(prompt, output);
  return textOf(await send([...next]));
}

const surfaces: readonly Surface[] = [
  {
    name: 'whole responses',
    converse: (origin, model) =>
      converse(async (input) => {
        const response = await post(`${origin}/v1/responses`, responses(input, { model }));
        return Object(await response.json()).output;
      }),
  },
  {
    name: 'streamed responses',
    converse: (origin, model) =>
      converse(async (input) => {
        const response = await post(`${origin}/v1/responses`, responses(input, { model, stream: true }));
        const datas = [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(([, data = '']) => data);
        return JSON.parse(datas.at(-1) ?? '').response.output;
      }),
  },
  {
    name: 'responses over the websocket',
    converse: async (origin, model) => {
      const socket = await openWebSocket(`${origin}/v1/responses`);
      return converse(async (input) => {
        socket.send(JSON.stringify({ type: 'response.create', ...responses(input, { model }) }));
        return JSON.parse((await receiveResponse(socket)).at(-1) ?? '').response.output;
      });
    },
  },
  {
    name: 'chat completions',
    converse: async (origin, model) => {
      const request = { ...refused, model, max_tokens: 100, tools: [{ type: 'function', function: look }] };
      const send = async (messages: object[]) => {
        const response = await post(`${origin}/v1/chat/completions`, { ...request, messages });
        return Object(await response.json()).choices[0].message;
      };
      const called = await send(prompt);
      const [{ id }] = called.tool_calls;
      const output = { role: 'tool', tool_call_id: id, content: 'seen' };
      return (await send([...prompt, called, output])).content;
    },
  },
];

const paths = surfaces.flatMap((surface) =>
  ['gpt-6.1-sol', 'another-model'].flatMap((model) =>
    ['websocket', 'http'].map((transport) => ({ ...surface, model, transport })),
  ),
);

it.each(paths)('$name of $model pass the strict backend over $transport', async (path) => {
  const events: BackendObservation[] = [];
  const backend = await startBackend({
    strict: true,
    script: [
      {
        reply: 'tool_calls',
        style: 'function',
        reasoning: 'It wants a look.',
        calls: [{ call: 'tool', name: 'look', arguments: '{}', output: 'seen' }],
      },
      { reply: 'text', text: 'I have seen it.', reasoning: 'That was it.' },
    ],
    faults: path.transport === 'http' ? { upgrades: [426] } : {},
    onEvent: (event) => events.push(event),
  });
  onTestFinished(() => backend.close());
  const origin = await proxyTo(new URL(`${backend.origin}/backend-api/codex`));

  expect(await path.converse(origin, path.model)).toBe('I have seen it.');
  expect(events.filter(({ type }) => type === 'refused')).toEqual([]);
  expect(backend.deviations()).toEqual([]);
});
