import type OpenAI from 'openai';
import { type JsonMember, type JsonNode, member, printJson, toNode } from '../../wire/json.ts';
import { settingsFor, toolsItem } from './request-settings.ts';
import type { SdkConversation, SdkInput, SdkResponse, SdkToolCall } from './sdk-conversation.ts';
import { type SdkFailure, sdkFailure } from './sdk-failure.ts';

type OpenAiResponse = OpenAI.Responses.Response;

/** What the SDK returned for a request. `begun` is the text that a stream delivered. */
type ReceivedResponse = {
  readonly begun: string;
  readonly response?: OpenAiResponse | undefined;
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
  return {
    send: async (input, settings) => {
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
      const text = printJson({ kind: 'object', members });
      const request = streams ? streamResponse : createResponse;
      const { begun, response, failure } = await request(client, text, signal);
      if (response === undefined || failure !== undefined)
        return { text: begun, ending: 'none', calls: [], ...(failure === undefined ? {} : { failure }) };
      previous = response.id;
      before.push(...items, ...response.output.map(toNode));
      return sdkResponse(response);
    },
  };
}

async function createResponse(client: OpenAI, text: string, signal: AbortSignal): Promise<ReceivedResponse> {
  const body: OpenAI.Responses.ResponseCreateParamsNonStreaming = JSON.parse(text);
  try {
    return received('', await client.responses.create(body, { signal }));
  } catch (error) {
    return { begun: '', failure: sdkFailure(error) };
  }
}

async function streamResponse(client: OpenAI, text: string, signal: AbortSignal): Promise<ReceivedResponse> {
  const body: OpenAI.Responses.ResponseCreateParamsNonStreaming = JSON.parse(text);
  let begun = '';
  let last: OpenAiResponse | undefined;
  try {
    for await (const event of await client.responses.create({ ...body, stream: true }, { signal })) {
      if (event.type === 'response.output_text.delta') begun += event.delta;
      if ('response' in event) last = event.response;
    }
  } catch (error) {
    return { begun, failure: sdkFailure(error) };
  }
  return received(begun, last);
}

/** The result of a request that was not refused. The response may have failed. */
function received(begun: string, response: OpenAiResponse | undefined): ReceivedResponse {
  if (response?.status !== 'failed') return { begun, response };
  const { error } = response;
  const message = error?.message ?? 'the response failed';
  return { begun, failure: { message, headers: [], ...(error === null ? {} : { error: toNode(error) }) } };
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
