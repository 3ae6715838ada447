import type OpenAI from 'openai';
import { type JsonMember, printJson, toNode } from '../../wire/json.ts';
import { settingsFor } from './request-settings.ts';
import { type SdkConversation, type SdkFailure, type SdkInput, sdkFailure } from './sdk-conversation.ts';

type Message = OpenAI.ChatCompletionMessageParam;
type ChatToolCall = OpenAI.ChatCompletionMessageToolCall;
type Completion = {
  readonly text: string;
  readonly calls: readonly ChatToolCall[];
  readonly ending: string;
  readonly failure?: SdkFailure;
};

/** A conversation over chat completions: each request repeats all messages before it. */
export function chatConversation(client: OpenAI, streams: boolean, signal: AbortSignal): SdkConversation {
  const messages: Message[] = [];
  return async (input, settings) => {
    messages.push(...messagesOf(input));
    const members: JsonMember[] = [['messages', toNode(messages)], ...settingsFor('chat', settings)];
    const body: OpenAI.ChatCompletionCreateParamsNonStreaming = JSON.parse(
      printJson({ kind: 'object', members }),
    );
    const { text, calls, ...end } = await complete(client, body, streams, signal);
    const toolCalls = calls.length === 0 ? {} : { tool_calls: [...calls] };
    messages.push({ role: 'assistant', content: text === '' ? null : text, ...toolCalls });
    return { text, ...end, calls: calls.map(({ id, type }) => ({ id, type })) };
  };
}

/** Requests a completion. When the SDK throws, the result has the text that arrived before. */
async function complete(
  client: OpenAI,
  body: OpenAI.ChatCompletionCreateParamsNonStreaming,
  streams: boolean,
  signal: AbortSignal,
): Promise<Completion> {
  let text = '';
  let ending = 'none';
  const calls: ChatToolCall[] = [];
  const { completions } = client.chat;
  try {
    if (!streams) {
      const [choice] = (await completions.create(body, { signal })).choices;
      if (choice === undefined) throw new Error('the completion has no choice');
      const { message, finish_reason } = choice;
      return { text: message.content ?? '', calls: message.tool_calls ?? [], ending: finish_reason };
    }
    for await (const { choices } of await completions.create({ ...body, stream: true }, { signal })) {
      const [choice] = choices;
      text += choice?.delta.content ?? '';
      ending = choice?.finish_reason ?? ending;
      for (const piece of choice?.delta.tool_calls ?? []) addPiece(calls, piece);
    }
    return { text, calls, ending };
  } catch (error) {
    return { text, calls: [], ending: 'none', failure: sdkFailure(error) };
  }
}

/** Adds a piece of one tool call. The first piece of a call has its id and name. */
function addPiece(calls: ChatToolCall[], piece: OpenAI.ChatCompletionChunk.Choice.Delta.ToolCall): void {
  const { index, id = '', type, ...members } = piece;
  const call = calls[index];
  const { name = '' } = members.function ?? members.custom ?? {};
  const [args, input] = [members.function?.arguments ?? '', members.custom?.input ?? ''];
  if (call?.type === 'function') call.function.arguments += args;
  else if (call?.type === 'custom') call.custom.input += input;
  else if (type === 'custom') calls[index] = { id, type, custom: { name, input } };
  else calls[index] = { id, type: 'function', function: { name, arguments: args } };
}

function messagesOf(input: SdkInput): Message[] {
  if ('prompt' in input) return [{ role: 'user', content: input.prompt }];
  return input.outputs.map(({ call, text }) => ({ role: 'tool', tool_call_id: call.id, content: text }));
}
