import { filterMembers, type JsonObject, printJson } from '../wire/json.ts';
import { rateLimits } from './response-events.ts';
import type { ScriptedResponse, StreamPart } from './scripted-response.ts';

/** Members of a request that the public API repeats in the response. */
const repeated: ReadonlySet<string> = new Set(['instructions', 'reasoning', 'text', 'tool_choice', 'tools']);

/** Further members of a response that the public API documents, with their defaults. */
const documented = {
  completed_at: null,
  text: { format: { type: 'text' } },
  reasoning: null,
  temperature: 1,
  top_p: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
  top_logprobs: 0,
  max_tool_calls: null,
  safety_identifier: null,
};

/**
 * Returns a response as users of the real backend report it; the sources are in docs/protocol.md. Its last event has no
 * output items: those come in events of their own. Over the websocket, the rate limits come before the response begins.
 * It has all members that the public API documents: LangChain reads the output format there.
 */
export function asReported(
  response: ScriptedResponse,
  request: JsonObject,
  transport: 'websocket' | 'http',
): ScriptedResponse {
  if (response.kind !== 'stream' || response.parts.length === 0) return response;
  const members: object = JSON.parse(printJson(filterMembers(request, (key) => repeated.has(key))));
  const parts = response.parts.map((part) => reportedPart(part, members));
  return { ...response, parts: transport === 'websocket' ? [rateLimits, ...parts] : parts };
}

function reportedPart(part: StreamPart, members: object): StreamPart {
  if (
    typeof part === 'string' ||
    Buffer.isBuffer(part) ||
    typeof part.response !== 'object' ||
    part.response === null
  )
    return part;
  const { type, response } = part;
  const createdAt = 'created_at' in response ? response.created_at : null;
  const end = type === 'response.completed' ? { output: [], completed_at: createdAt } : {};
  return { ...part, response: { ...response, ...documented, ...members, ...end } };
}
