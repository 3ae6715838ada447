// OpenAI's Agents SDK for JavaScript: https://github.com/openai/openai-agents-js
import {
  Agent,
  MemorySession,
  run,
  setDefaultOpenAIClient,
  setOpenAIAPI,
  setOpenAIResponsesTransport,
  setTracingDisabled,
  tool,
} from '@openai/agents';
import OpenAI from 'openai';
import { z } from 'zod';
import { equals, includes, instructions, model, nextPrompt, play, toolPrompt, weather } from './program.mjs';

setTracingDisabled(true);
setDefaultOpenAIClient(new OpenAI({ maxRetries: 0 }));

const getWeather = tool({
  name: 'get_weather',
  description: 'The weather.',
  parameters: z.object({ city: z.string() }),
  execute: async () => weather,
});
const modelSettings = { reasoning: { effort: 'low', summary: 'auto' } };
const newAgent = () =>
  new Agent({ name: 'Weather', instructions, model, tools: [getWeather], modelSettings });

async function finished(result) {
  if (result.completed !== undefined) {
    for await (const _ of result.toStream()) {
      // Events are read until the run ends.
    }
    await result.completed;
  }
  return result;
}

async function conversation(stream, expected) {
  const agent = newAgent();
  const first = await finished(await run(agent, toolPrompt, { stream }));
  includes(first.finalOutput, toolPrompt, weather);
  const input = [...first.history, { role: 'user', content: nextPrompt }];
  const last = await finished(await run(agent, input, { stream }));
  includes(last.finalOutput, `${toolPrompt} | ${nextPrompt}`, weather, 'Replies: 1.', ...expected);
}

async function chain(stream) {
  const agent = newAgent();
  const first = await finished(await run(agent, toolPrompt, { stream }));
  const previousResponseId = first.lastResponseId;
  const last = await finished(await run(agent, nextPrompt, { stream, previousResponseId }));
  includes(last.finalOutput, `${toolPrompt} | ${nextPrompt}`, weather);
}

for (const stream of [false, true]) {
  const name = stream ? ', streamed' : '';
  await play(`responses${name}: tool loop and second turn`, () => conversation(stream, ['Reasoning: 2.']));
  await play(`responses${name}: second turn by previousResponseId`, () => chain(stream));
}

await play('responses: session', async () => {
  const session = new MemorySession();
  const agent = newAgent();
  await run(agent, toolPrompt, { session });
  const last = await run(agent, nextPrompt, { session });
  includes(last.finalOutput, `${toolPrompt} | ${nextPrompt}`, weather, 'Reasoning: 2.');
});

await play('responses: structured output', async () => {
  const outputType = z.object({ city: z.string(), degrees: z.number() });
  const { finalOutput } = await run(new Agent({ name: 'Weather', model, outputType }), 'Paris as JSON');
  equals(finalOutput, { city: 'Paris', degrees: 21 });
});

setOpenAIResponsesTransport('websocket');
await play('responses over the websocket: tool loop and second turn', () =>
  conversation(true, ['Reasoning: 2.']),
);

setOpenAIAPI('chat_completions');
for (const stream of [false, true]) {
  await play(`chat${stream ? ', streamed' : ''}: tool loop and second turn`, () => conversation(stream, []));
}
process.exit(0);
