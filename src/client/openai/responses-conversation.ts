import type OpenAI from 'openai';
import { type JsonMember, type JsonNode, member, printJson, toNode } from '../../wire/json.ts';
import { settingsFor, toolsItem } from './request-settings.ts';
import type { SdkConversation, SdkInput, SdkResponse, SdkToolCall } from './sdk-conversation.ts';
import { type SdkFailure, sdkFailure } from './sdk-failure.ts';

type OpenAiResponse = OpenAI.Responses.Response;

/** What came of a request: the words that a stream brought, and how it ended. */
type ReceivedResponse = {
  readonly begun: string;
  readonly response?: OpenAiResponse | undefined;
  readonly failure?: SdkFailure;
};

/**
 * A conversation over the Responses API: each request goes on from the response before it where the official client's
 * does, and says all anew where that one does.
 */
export function responsesConversation(
  client: OpenAI,
  streams: boolean,
  signal: AbortSignal,
): SdkConversation {
  let previous: string | undefined;
  const before: JsonNode[] = [];
  return {
    ask: async (said, settings) => {
      const lite = member(settings, 'tools') === undefined;
      const items = itemsOf(said).map(toNode);
      if (before.length === 0 && lite) items.unshift(toolsItem);
      const goesOn = previous !== undefined && member(settings, 'previous_response_id') !== undefined;
      const input: JsonNode = { kind: 'array', items: goesOn ? items : [...before, ...items] };
      const members: JsonMember[] = [
        ['input', input],
        ...(goesOn ? [['previous_response_id', toNode(previous)] satisfies JsonMember] : []),
        ...settingsFor('responses', settings),
      ];
      const text = printJson({ kind: 'object', members });
      const { begun, response, failure } = await (streams ? streamed : whole)(client, text, signal);
      if (response === undefined || failure !== undefined)
        return { text: begun, ending: 'none', calls: [], ...(failure === undefined ? {} : { failure }) };
      previous = response.id;
      before.push(...items, ...response.output.map(toNode));
      return answerOf(response);
    },
  };
}

async function whole(client: OpenAI, text: string, signal: AbortSignal): Promise<ReceivedResponse> {
  const body: OpenAI.Responses.ResponseCreateParamsNonStreaming = JSON.parse(text);
  try {
    return heard('', await client.responses.create(body, { signal }));
  } catch (error) {
    return { begun: '', failure: sdkFailure(error) };
  }
}

async function streamed(client: OpenAI, text: string, signal: AbortSignal): Promise<ReceivedResponse> {
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
  return heard(begun, last);
}

/** What came of a response that was not refused. It may have failed nevertheless. */
function heard(begun: string, response: OpenAiResponse | undefined): ReceivedResponse {
  if (response?.status !== 'failed') return { begun, response };
  const { error } = response;
  const message = error?.message ?? 'the response failed';
  return { begun, failure: { message, headers: [], ...(error === null ? {} : { error: toNode(error) }) } };
}

function itemsOf(said: SdkInput): object[] {
  if ('prompt' in said) {
    const content = [{ type: 'input_text', text: said.prompt }];
    return [{ type: 'message', role: 'user', content }];
  }
  return said.outputs.map(({ call, text }) => ({
    type: call.type === 'custom' ? 'custom_tool_call_output' : 'function_call_output',
    call_id: call.id,
    output: text,
  }));
}

function answerOf({ output, status }: OpenAiResponse): SdkResponse {
  const parts = output.flatMap((item) => (item.type === 'message' ? item.content : []));
  const calls = output.flatMap((item): SdkToolCall[] => {
    if (item.type === 'function_call') return [{ id: item.call_id, type: 'function' }];
    return item.type === 'custom_tool_call' ? [{ id: item.call_id, type: 'custom' }] : [];
  });
  const text = parts.map((part) => (part.type === 'output_text' ? part.text : '')).join('');
  return { text, ending: status ?? 'none', calls };
}
