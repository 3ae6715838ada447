import type OpenAI from 'openai';
import { type JsonMember, type JsonNode, member, printJson, toNode } from '../../wire/json.ts';
import { settingsFor, toolsItem } from './request-settings.ts';
import {
  type SdkConversation,
  type SdkFailure,
  type SdkInput,
  type SdkResponse,
  type SdkToolCall,
  sdkFailure,
} from './sdk-conversation.ts';

type OpenAiResponse = OpenAI.Responses.Response;

/** A response that did not fail. Otherwise the text that a stream delivered, and the failure if there was one. */
type ReceivedResponse = {
  readonly text: string;
  readonly response?: OpenAiResponse;
  readonly failure?: SdkFailure;
};

/**
 * A conversation over the Responses API: each request refers to the previous response where that of the official client
 * does, and repeats the whole input otherwise.
 */
export function responsesConversation(
  client: OpenAI,
  streams: boolean,
  signal: AbortSignal,
): SdkConversation {
  let previous: string | undefined;
  const before: JsonNode[] = [];
  return async (input, settings) => {
    const lite = member(settings, 'tools') === undefined;
    const items = inputItems(input).map(toNode);
    if (before.length === 0 && lite) items.unshift(toolsItem);
    const chained = previous !== undefined && member(settings, 'previous_response_id') !== undefined;
    const sent: JsonNode = { kind: 'array', items: chained ? items : [...before, ...items] };
    const members: JsonMember[] = [
      ['input', sent],
      ...(chained ? [['previous_response_id', toNode(previous)] satisfies JsonMember] : []),
      ...settingsFor('responses', settings),
    ];
    const body: OpenAI.Responses.ResponseCreateParamsNonStreaming = JSON.parse(
      printJson({ kind: 'object', members }),
    );
    const { response, ...unfinished } = await receive(client, body, streams, signal);
    if (response === undefined) return { ending: 'none', calls: [], ...unfinished };
    previous = response.id;
    before.push(...items, ...response.output.map(toNode));
    return sdkResponse(response);
  };
}

async function receive(
  client: OpenAI,
  body: OpenAI.Responses.ResponseCreateParamsNonStreaming,
  streams: boolean,
  signal: AbortSignal,
): Promise<ReceivedResponse> {
  let text = '';
  let response: OpenAiResponse | undefined;
  try {
    if (!streams) response = await client.responses.create(body, { signal });
    else
      for await (const event of await client.responses.create({ ...body, stream: true }, { signal })) {
        if (event.type === 'response.output_text.delta') text += event.delta;
        if ('response' in event) response = event.response;
      }
  } catch (error) {
    return { text, failure: sdkFailure(error) };
  }
  if (response === undefined) return { text };
  if (response.status !== 'failed') return { text, response };
  const { error } = response;
  const message = error?.message ?? 'the response failed';
  return { text, failure: { message, headers: [], ...(error === null ? {} : { error: toNode(error) }) } };
}

function inputItems(input: SdkInput): object[] {
  if ('prompt' in input) {
    const content = [{ type: 'input_text', text: input.prompt }];
    return [{ type: 'message', role: 'user', content }];
  }
  return input.outputs.map(({ call, text }) => ({
    type: call.type === 'custom' ? 'custom_tool_call_output' : 'function_call_output',
    call_id: call.id,
    output: text,
  }));
}

function sdkResponse({ output, status }: OpenAiResponse): SdkResponse {
  const parts = output.flatMap((item) => (item.type === 'message' ? item.content : []));
  const calls = output.flatMap((item): SdkToolCall[] => {
    if (item.type === 'function_call') return [{ id: item.call_id, type: 'function' }];
    return item.type === 'custom_tool_call' ? [{ id: item.call_id, type: 'custom' }] : [];
  });
  const text = parts.map((part) => (part.type === 'output_text' ? part.text : '')).join('');
  return { text, ending: status ?? 'none', calls };
}
