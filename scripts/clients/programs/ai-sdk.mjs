// The AI SDK with its provider for OpenAI: https://github.com/vercel/ai
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, isStepCount, Output, streamText, tool } from 'ai';
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

const openai = createOpenAI({ baseURL, apiKey });
const tools = {
  get_weather: tool({
    description: 'The weather.',
    inputSchema: z.object({ city: z.string() }),
    execute: async () => weather,
  }),
};
const schema = z.object({ city: z.string(), degrees: z.number() });
const settings = { instructions, tools, stopWhen: isStepCount(4), maxRetries: 0 };
const withReasoning = (openaiOptions) => ({
  ...settings,
  providerOptions: { openai: { reasoningEffort: 'low', reasoningSummary: 'auto', ...openaiOptions } },
});

/** A turn with a tool, and a second turn with the messages of the first. */
async function conversation(generate, expected) {
  const messages = [{ role: 'user', content: toolPrompt }];
  const first = await generate(messages);
  includes(first.text, toolPrompt, weather);
  messages.push(...first.messages, { role: 'user', content: nextPrompt });
  const last = await generate(messages);
  includes(last.text, `${toolPrompt} | ${nextPrompt}`, weather, 'Replies: 1.', ...expected);
}

const whole = (languageModel, options) => async (messages) => {
  const { text, responseMessages } = await generateText({ model: languageModel, messages, ...options });
  return { text, messages: responseMessages };
};

const streamed = (languageModel, options) => async (messages) => {
  let failure;
  const result = streamText({
    model: languageModel,
    messages,
    ...options,
    onError: ({ error }) => {
      failure = error;
    },
  });
  let text = '';
  for await (const delta of result.textStream) text += delta;
  if (failure !== undefined) throw failure;
  return { text, messages: await result.responseMessages };
};

const stateless = withReasoning({ store: false });
const responses = openai.responses(model);
const chat = openai.chat(model);

await play('responses: generateText, tool loop and second turn', () =>
  conversation(whole(responses, withReasoning({})), []),
);
await play('responses: streamText, tool loop and second turn', () =>
  conversation(streamed(responses, withReasoning({})), []),
);
await play('responses with store: false: generateText, tool loop and second turn', () =>
  conversation(whole(responses, stateless), ['Reasoning: 2.']),
);
await play('responses with store: false: streamText, tool loop and second turn', () =>
  conversation(streamed(responses, stateless), ['Reasoning: 2.']),
);
await play('chat: generateText, tool loop and second turn', () => conversation(whole(chat, settings), []));
await play('chat: streamText, tool loop and second turn', () => conversation(streamed(chat, settings), []));

for (const [name, languageModel] of [
  ['responses', responses],
  ['chat', chat],
]) {
  await play(`${name}: structured output`, async () => {
    const { output } = await generateText({
      model: languageModel,
      prompt: 'Paris as JSON',
      output: Output.object({ schema }),
      maxRetries: 0,
    });
    equals(output, { city: 'Paris', degrees: 21 });
  });
}
