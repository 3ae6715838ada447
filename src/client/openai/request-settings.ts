import type { Golden } from '../../golden/golden.ts';
import { clientJson } from '../../golden/trace/exchanges.ts';
import {
  type JsonMember,
  type JsonNode,
  type JsonObject,
  jsonString,
  member,
  toNode,
} from '../../wire/json.ts';
import type { SdkSurface } from './sdk-conversation.ts';

/** The instructions of a program, instead of those of the official client. */
const instructions = 'You are a helper of a program that is written with the library of OpenAI.';

const tool = {
  name: 'exec_command',
  description: 'Runs a command and gives what it prints.',
  strict: false,
  parameters: {
    type: 'object',
    properties: { cmd: { type: 'string' } },
    required: ['cmd'],
    additionalProperties: false,
  },
};

/** The tool as an input item, as lite models take tools. */
export const toolsItem = toNode({
  type: 'additional_tools',
  role: 'developer',
  tools: [{ type: 'function', ...tool }],
});

/** The requests for a response in a golden, in their order, without prewarms. */
export function turnRequests(golden: Golden): JsonObject[] {
  return golden.exchanges
    .flatMap(({ steps }) => steps)
    .flatMap((step) => {
      const json = clientJson(step);
      const isTurn = member(json, 'model') !== undefined && member(json, 'generate') === undefined;
      return json?.kind === 'object' && isTurn ? [json] : [];
    });
}

/** Members of the official client's request that programs do not send, or that come with the input. */
const omitted: ReadonlySet<string> = new Set([
  'type',
  'stream',
  'input',
  'prompt_cache_key',
  'previous_response_id',
  'client_metadata',
]);

/**
 * The settings of the official client's request as a program sends them, in alphabetical order. Without a tier they have
 * the tier "default", as programs send it. A proxy must not send that one to the backend.
 */
export function settingsFor(surface: SdkSurface, request: JsonObject): JsonMember[] {
  const convert = surface === 'responses' ? responsesSetting : chatSetting;
  const members = [['service_tier', jsonString('default')] satisfies JsonMember, ...request.members]
    .filter(([key]) => !omitted.has(key))
    .flatMap(([key, value]) => convert(key, value));
  return [...new Map(members.map((entry) => [entry[0], entry])).values()].sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
}

function responsesSetting(key: string, value: JsonNode): JsonMember[] {
  if (key === 'instructions') return [[key, jsonString(instructions)]];
  if (key === 'tools') return [[key, toNode([{ type: 'function', ...tool }])]];
  return [[key, value]];
}

/** Members with the same name and meaning in the chat API. */
const shared: ReadonlySet<string> = new Set([
  'model',
  'parallel_tool_calls',
  'service_tier',
  'store',
  'tool_choice',
]);

function chatSetting(key: string, value: JsonNode): JsonMember[] {
  if (shared.has(key)) return [[key, value]];
  if (key === 'tools') return [[key, toNode([{ type: 'function', function: tool }])]];
  if (key === 'reasoning') return renamed(value, 'effort', 'reasoning_effort');
  if (key !== 'text') return [];
  const format = member(value, 'format');
  return [
    ...renamed(value, 'verbosity', 'verbosity'),
    ...(format === undefined ? [] : [['response_format', chatResponseFormat(format)] satisfies JsonMember]),
  ];
}

function renamed(node: JsonNode, from: string, to: string): JsonMember[] {
  const value = member(node, from);
  return value === undefined ? [] : [[to, value]];
}

/** The response format as the chat API has it. */
function chatResponseFormat(format: JsonNode): JsonNode {
  if (format.kind !== 'object') return format;
  const schema = format.members.filter(([key]) => key !== 'type');
  return {
    kind: 'object',
    members: [
      ['type', jsonString('json_schema')],
      ['json_schema', { kind: 'object', members: schema }],
    ],
  };
}
