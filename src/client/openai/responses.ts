import type OpenAI from 'openai';
import { type JsonMember, type JsonNode, member, printJson, toNode } from '../../wire/json.ts';
import { settingsFor, toolsItem } from './settings.ts';
import type { Answer, Call, Said, Talk } from './surface.ts';

type Response = OpenAI.Responses.Response;

/**
 * A conversation over the Responses API: each request goes on from the response before it where the official client's
 * does, and says all anew where that one does.
 */
export function talkByResponses(client: OpenAI, streams: boolean, signal: AbortSignal): Talk {
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
      const response = streams ? await streamed(client, text, signal) : await whole(client, text, signal);
      previous = response.id;
      before.push(...items, ...response.output.map(toNode));
      return answerOf(response);
    },
  };
}

async function whole(client: OpenAI, text: string, signal: AbortSignal): Promise<Response> {
  const body: OpenAI.Responses.ResponseCreateParamsNonStreaming = JSON.parse(text);
  return client.responses.create(body, { signal });
}

async function streamed(client: OpenAI, text: string, signal: AbortSignal): Promise<Response> {
  const body: OpenAI.Responses.ResponseCreateParamsNonStreaming = JSON.parse(text);
  let last: Response | undefined;
  for await (const event of await client.responses.create({ ...body, stream: true }, { signal })) {
    if ('response' in event) last = event.response;
  }
  if (last === undefined) throw new Error('the stream brought no response');
  return last;
}

function itemsOf(said: Said): object[] {
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

function answerOf({ output, status }: Response): Answer {
  const parts = output.flatMap((item) => (item.type === 'message' ? item.content : []));
  const calls = output.flatMap((item): Call[] => {
    if (item.type === 'function_call') return [{ id: item.call_id, type: 'function' }];
    return item.type === 'custom_tool_call' ? [{ id: item.call_id, type: 'custom' }] : [];
  });
  const text = parts.map((part) => (part.type === 'output_text' ? part.text : '')).join('');
  return { text, ending: status ?? 'none', calls };
}
