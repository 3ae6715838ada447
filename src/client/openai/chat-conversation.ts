import type OpenAI from 'openai';
import { type JsonMember, printJson, toNode } from '../../wire/json.ts';
import { settingsFor } from './request-settings.ts';
import type { SdkConversation, SdkInput } from './sdk-conversation.ts';
import { type SdkFailure, sdkFailure } from './sdk-failure.ts';

type Message = OpenAI.ChatCompletionMessageParam;
type ChatToolCall = OpenAI.ChatCompletionMessageToolCall;
type Completion = {
  readonly text: string;
  readonly calls: readonly ChatToolCall[];
  readonly ending: string;
  readonly failure?: SdkFailure;
};

/** A conversation over chat completions: each request says again all that was said before. */
export function chatConversation(client: OpenAI, streams: boolean, signal: AbortSignal): SdkConversation {
  const messages: Message[] = [];
  return {
    ask: async (said, settings) => {
      messages.push(...messagesOf(said));
      const members: JsonMember[] = [['messages', toNode(messages)], ...settingsFor('chat', settings)];
      const body: OpenAI.ChatCompletionCreateParamsNonStreaming = JSON.parse(
        printJson({ kind: 'object', members }),
      );
      const { text, calls, ...end } = await (streams ? streamed : whole)(client, body, signal);
      const asked = calls.length === 0 ? {} : { tool_calls: [...calls] };
      messages.push({ role: 'assistant', content: text === '' ? null : text, ...asked });
      return { text, ...end, calls: calls.map(({ id, type }) => ({ id, type })) };
    },
  };
}

async function whole(
  client: OpenAI,
  body: OpenAI.ChatCompletionCreateParamsNonStreaming,
  signal: AbortSignal,
): Promise<Completion> {
  try {
    const [choice] = (await client.chat.completions.create(body, { signal })).choices;
    if (choice === undefined) throw new Error('the completion has no choice');
    const { message, finish_reason } = choice;
    return { text: message.content ?? '', calls: message.tool_calls ?? [], ending: finish_reason };
  } catch (error) {
    return failed('', error);
  }
}

async function streamed(
  client: OpenAI,
  body: OpenAI.ChatCompletionCreateParamsNonStreaming,
  signal: AbortSignal,
): Promise<Completion> {
  let text = '';
  let ending = 'none';
  const calls: ChatToolCall[] = [];
  try {
    for await (const { choices } of await client.chat.completions.create(
      { ...body, stream: true },
      { signal },
    )) {
      const [choice] = choices;
      text += choice?.delta.content ?? '';
      ending = choice?.finish_reason ?? ending;
      for (const one of choice?.delta.tool_calls ?? []) addTo(calls, one);
    }
  } catch (error) {
    return failed(text, error);
  }
  return { text, calls, ending };
}

/** Adds to the calls what a chunk tells of one of them. */
function addTo(calls: ChatToolCall[], piece: OpenAI.ChatCompletionChunk.Choice.Delta.ToolCall): void {
  const { index, id = '', type, ...given } = piece;
  const call = calls[index];
  const { name = '' } = given.function ?? given.custom ?? {};
  const [args, input] = [given.function?.arguments ?? '', given.custom?.input ?? ''];
  if (call?.type === 'function') call.function.arguments += args;
  else if (call?.type === 'custom') call.custom.input += input;
  else if (type === 'custom') calls[index] = { id, type, custom: { name, input } };
  else calls[index] = { id, type: 'function', function: { name, arguments: args } };
}

/** A completion that was begun, or not even that, when the library threw. */
function failed(text: string, thrown: unknown): Completion {
  return { text, calls: [], ending: 'none', failure: sdkFailure(thrown) };
}

function messagesOf(said: SdkInput): Message[] {
  if ('prompt' in said) return [{ role: 'user', content: said.prompt }];
  return said.outputs.map(({ call, text }) => ({ role: 'tool', tool_call_id: call.id, content: text }));
}
