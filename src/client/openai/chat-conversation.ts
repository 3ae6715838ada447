import type OpenAI from 'openai';
import { type JsonMember, printJson, toNode } from '../../wire/json.ts';
import { CollectedCompletion } from './collected-completion.ts';
import { settingsFor } from './request-settings.ts';
import { type SdkConversation, type SdkFailure, type SdkInput, sdkFailure } from './sdk-conversation.ts';

type Message = OpenAI.ChatCompletionMessageParam;

/** A conversation over chat completions: each request repeats all messages before it. */
export function chatConversation(client: OpenAI, streams: boolean, signal: AbortSignal): SdkConversation {
  const messages: Message[] = [];
  return async (input, settings) => {
    messages.push(...messagesOf(input));
    const members: JsonMember[] = [['messages', toNode(messages)], ...settingsFor('chat', settings)];
    const body: OpenAI.ChatCompletionCreateParamsNonStreaming = JSON.parse(
      printJson({ kind: 'object', members }),
    );
    const completion = new CollectedCompletion();
    const failure = await collect(completion, client, body, { streams, signal });
    if (failure !== undefined) return { text: completion.text, ending: 'none', calls: [], failure };
    const { text, ending, calls } = completion;
    const toolCalls = calls.map(({ id, type, name, text: given }) =>
      type === 'custom'
        ? { id, type, custom: { name, input: given } }
        : { id, type, function: { name, arguments: given } },
    );
    const called = toolCalls.length === 0 ? {} : { tool_calls: toolCalls };
    messages.push({ role: 'assistant', content: text === '' ? null : text, ...called });
    return { text, ending, calls, completion: completion.members() };
  };
}

/** Requests a completion and collects it. Resolves with the failure when the SDK throws. */
async function collect(
  completion: CollectedCompletion,
  client: OpenAI,
  body: OpenAI.ChatCompletionCreateParamsNonStreaming,
  { streams, signal }: { readonly streams: boolean; readonly signal: AbortSignal },
): Promise<SdkFailure | undefined> {
  const { completions } = client.chat;
  try {
    if (!streams) completion.add(await completions.create(body, { signal }));
    else {
      const streamed = { ...body, stream: true, stream_options: { include_usage: true } } as const;
      for await (const chunk of await completions.create(streamed, { signal })) completion.add(chunk);
    }
    return undefined;
  } catch (error) {
    return sdkFailure(error);
  }
}

function messagesOf(input: SdkInput): Message[] {
  if ('prompt' in input) return [{ role: 'user', content: input.prompt }];
  return input.outputs.map(({ call, text }) => ({ role: 'tool', tool_call_id: call.id, content: text }));
}
