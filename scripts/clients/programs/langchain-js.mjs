// LangChain with its package for OpenAI: https://github.com/langchain-ai/langchainjs
import { HumanMessage } from '@langchain/core/messages';
import { ChatOpenAI } from '@langchain/openai';
import { createAgent, tool } from 'langchain';
import { z } from 'zod';
import {
  apiKey,
  baseURL,
  equals,
  includes,
  instructions,
  model,
  nextPrompt,
  play,
  toolPrompt,
  weather,
} from './program.mjs';

const getWeather = tool(() => weather, {
  name: 'get_weather',
  description: 'The weather.',
  schema: z.object({ city: z.string() }),
});
const schema = z.object({ city: z.string(), degrees: z.number() });
const settings = { model, apiKey, maxRetries: 0, configuration: { baseURL } };
const models = [
  ['responses', { useResponsesApi: true, reasoning: { effort: 'low', summary: 'auto' } }, 'Reasoning: '],
  [
    'responses, zdrEnabled',
    { useResponsesApi: true, zdrEnabled: true, reasoning: { effort: 'low' } },
    'Reasoning: 2.',
  ],
  [
    'responses, streamed',
    { useResponsesApi: true, streaming: true, reasoning: { effort: 'low' } },
    'Reasoning: ',
  ],
  ['chat', {}, ''],
];

for (const [name, options, expected] of models) {
  const llm = new ChatOpenAI({ ...settings, ...options });
  await play(`${name}: agent, tool loop and second turn`, async () => {
    const agent = createAgent({ model: llm, tools: [getWeather], systemPrompt: instructions });
    const { messages } = await agent.invoke({ messages: [new HumanMessage(toolPrompt)] });
    includes(messages.at(-1).text, toolPrompt, weather);
    const last = await agent.invoke({ messages: [...messages, new HumanMessage(nextPrompt)] });
    includes(last.messages.at(-1).text, `${toolPrompt} | ${nextPrompt}`, weather, 'Replies: 1.', expected);
  });
  await play(`${name}: structured output`, async () => {
    const parsed = await llm.withStructuredOutput(schema, { method: 'jsonSchema' }).invoke('Paris as JSON');
    equals(parsed, { city: 'Paris', degrees: 21 });
  });
}

for (const useResponsesApi of [true, false]) {
  // An agent with `streaming` counts the tokens of chat completions with a table that it downloads.
  await play(`${useResponsesApi ? 'responses' : 'chat'}: stream, tool loop and second turn`, async () => {
    const llm = new ChatOpenAI({ ...settings, useResponsesApi }).bindTools([getWeather]);
    const stream = async (messages) => {
      let whole;
      for await (const chunk of await llm.stream(messages)) whole = whole?.concat(chunk) ?? chunk;
      return whole;
    };
    const messages = [new HumanMessage(toolPrompt)];
    const called = await stream(messages);
    messages.push(called, await getWeather.invoke(called.tool_calls[0]));
    const second = await stream(messages);
    includes(second.text, toolPrompt, weather);
    const last = await stream([...messages, second, new HumanMessage(nextPrompt)]);
    includes(last.text, `${toolPrompt} | ${nextPrompt}`, weather, 'Replies: 1.');
  });
}
