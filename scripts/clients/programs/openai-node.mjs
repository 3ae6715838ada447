// The library of OpenAI for Node: https://github.com/openai/openai-node
import OpenAI from 'openai';
import { zodFunction, zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { z } from 'zod';
import { equals, includes, instructions, model, nextPrompt, play, toolPrompt, weather } from './program.mjs';

const client = new OpenAI({ maxRetries: 0 });
const parameters = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};
const tool = { type: 'function', name: 'get_weather', description: 'The weather.', strict: true, parameters };
const chatTool = {
  type: 'function',
  function: { name: 'get_weather', description: 'The weather.', parameters },
};
const schema = z.object({ city: z.string(), degrees: z.number() });
const parsed = { city: 'Paris', degrees: 21 };
const request = { model, instructions, tools: [tool], reasoning: { effort: 'low', summary: 'auto' } };

const outputsOf = (response) =>
  response.output
    .filter(({ type }) => type === 'function_call')
    .map(({ call_id }) => ({ type: 'function_call_output', call_id, output: weather }));

/** A conversation that sends all items with each request. */
async function conversation(respond) {
  const input = [
    { role: 'system', content: 'Be kind.' },
    { role: 'user', content: toolPrompt },
  ];
  const called = await respond({ ...request, input });
  equals(
    called.output.map(({ type }) => type),
    ['reasoning', 'function_call'],
  );
  input.push(...called.output, ...outputsOf(called));
  const second = await respond({ ...request, input });
  includes(second.output_text, weather, 'Reasoning: 1.');
  input.push(...second.output, { role: 'user', content: nextPrompt });
  const last = await respond({ ...request, input });
  includes(last.output_text, `${toolPrompt} | ${nextPrompt}`, weather, 'Replies: 1.', 'Reasoning: 2.');
}

/** A conversation that names the response before. */
async function chain(respond) {
  const first = await respond({ ...request, input: 'Use the tools.' });
  equals(outputsOf(first).length, 2);
  const second = await respond({ ...request, input: outputsOf(first), previous_response_id: first.id });
  includes(second.output_text, `${weather} | ${weather}`);
  const last = await respond({ ...request, input: nextPrompt, previous_response_id: second.id });
  includes(last.output_text, `Use the tools. | ${nextPrompt}`, 'Replies: 1.');
}

const whole = (body) => client.responses.create(body);

const streamed = async (body) => {
  let text = '';
  let thoughts = '';
  const stream = client.responses
    .stream(body)
    .on('response.output_text.delta', ({ delta }) => {
      text += delta;
    })
    .on('response.reasoning_summary_text.delta', ({ delta }) => {
      thoughts += delta;
    });
  const response = await stream.finalResponse();
  equals(response.output_text, text);
  equals(thoughts, response.output[0].summary[0].text);
  return response;
};

await play('responses: tool loop and second turn, all items sent', () => conversation(whole));
await play('responses: two tools and second turn, previous_response_id', () => chain(whole));
await play('responses.stream: tool loop and second turn, all items sent', () => conversation(streamed));
await play('responses.stream: two tools and second turn, previous_response_id', () => chain(streamed));

await play('responses.create with stream: events', async () => {
  const types = [];
  const stream = await client.responses.create({ ...request, input: 'Hello', stream: true });
  for await (const { type } of stream) types.push(type);
  equals([types[0], types.at(-1)], ['response.created', 'response.completed']);
});

await play('responses.parse', async () => {
  const text = { format: zodTextFormat(schema, 'weather') };
  const { output_parsed } = await client.responses.parse({ model, input: 'Paris as JSON', text });
  equals(output_parsed, parsed);
});

await play('responses websocket: tool loop and second turn', async () => {
  const socket = new ResponsesWS(client);
  const respond = (body) =>
    new Promise((resolve, reject) => {
      const onEvent = (event) => {
        if (event.type !== 'response.completed') return;
        socket.off('event', onEvent);
        const { response } = event;
        const texts = response.output.flatMap(({ type, content }) => (type === 'message' ? content : []));
        resolve({ ...response, output_text: texts.map(({ text }) => text).join('') });
      };
      socket.on('event', onEvent);
      socket.on('error', reject);
      socket.send({ type: 'response.create', ...body });
    });
  try {
    await conversation(respond);
    await chain(respond);
  } finally {
    socket.close();
  }
});

await play('chat: tool loop and second turn', async () => {
  const messages = [
    { role: 'system', content: instructions },
    { role: 'user', content: 'Use the tools.' },
  ];
  const chat = { model, tools: [chatTool], reasoning_effort: 'low' };
  const called = await client.chat.completions.create({ ...chat, messages });
  const [{ message, finish_reason }] = called.choices;
  equals([finish_reason, message.tool_calls.length], ['tool_calls', 2]);
  const outputs = message.tool_calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: weather }));
  messages.push(message, ...outputs);
  const second = await client.chat.completions.create({ ...chat, messages });
  includes(second.choices[0].message.content, `${weather} | ${weather}`);
  messages.push(second.choices[0].message, { role: 'user', content: nextPrompt });
  const last = await client.chat.completions.create({ ...chat, messages });
  includes(last.choices[0].message.content, `Use the tools. | ${nextPrompt}`, 'Replies: 1.');
});

await play('chat stream helper: tool loop with runTools', async () => {
  const runner = client.chat.completions.runTools({
    model,
    stream: true,
    stream_options: { include_usage: true },
    messages: [{ role: 'user', content: toolPrompt }],
    tools: [
      zodFunction({
        name: 'get_weather',
        parameters: z.object({ city: z.string() }),
        function: () => weather,
      }),
    ],
  });
  includes(await runner.finalContent(), toolPrompt, weather);
  const usage = await runner.totalUsage();
  equals(usage.total_tokens > 0, true);
});

await play('chat.completions.parse', async () => {
  const completion = await client.chat.completions.parse({
    model,
    messages: [{ role: 'user', content: 'Paris as JSON' }],
    response_format: zodResponseFormat(schema, 'weather'),
  });
  equals(completion.choices[0].message.parsed, parsed);
});

await play('models.list', async () => {
  for await (const { id } of client.models.list()) equals(typeof id, 'string');
});
