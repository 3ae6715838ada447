import type { Golden } from '../../golden/golden.ts';
import {
  type JsonMember,
  type JsonNode,
  type JsonObject,
  jsonString,
  member,
  toNode,
} from '../../wire/json.ts';
import type { SdkSurface } from './sdk-conversation.ts';

/** What a program says in the place of the official client's own prompts. */
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

/** Tools that travel as an item of the input, as models take them that are lite. */
export const toolsItem = toNode({
  type: 'additional_tools',
  role: 'developer',
  tools: [{ type: 'function', ...tool }],
});

/** The requests for an answer in a golden, in their order: prewarms left out. */
export function turnRequests(golden: Golden): JsonObject[] {
  return golden.exchanges
    .flatMap(({ steps }) => steps)
    .flatMap((step) => {
      if (step.type === 'response' || step.from !== 'client' || step.content.kind !== 'json') return [];
      const { json } = step.content;
      const asks = member(json, 'model') !== undefined && member(json, 'generate') === undefined;
      return json.kind === 'object' && asks ? [json] : [];
    });
}

/** Members of the official client's request that programs do not write, or that are said with the words. */
const protocol: ReadonlySet<string> = new Set([
  'type',
  'stream',
  'input',
  'prompt_cache_key',
  'previous_response_id',
  'client_metadata',
]);

/**
 * The settings of the official client as a program spells them, in an order of its own: by the alphabet. A tier that
 * is none is said to be the default one, as programs have it and as the backend must not hear it.
 */
export function settingsFor(surface: SdkSurface, request: JsonObject): JsonMember[] {
  const spell = surface === 'responses' ? ofResponses : ofChat;
  const members = [['service_tier', jsonString('default')] satisfies JsonMember, ...request.members]
    .filter(([key]) => !protocol.has(key))
    .flatMap(([key, value]) => spell(key, value));
  return [...new Map(members.map((one) => [one[0], one])).values()].sort(([one], [other]) =>
    one < other ? -1 : 1,
  );
}

function ofResponses(key: string, value: JsonNode): JsonMember[] {
  if (key === 'instructions') return [[key, jsonString(instructions)]];
  if (key === 'tools') return [[key, toNode([{ type: 'function', ...tool }])]];
  return [[key, value]];
}

/** Members of the chat API of the same name and meaning. */
const alike: ReadonlySet<string> = new Set([
  'model',
  'parallel_tool_calls',
  'service_tier',
  'store',
  'tool_choice',
]);

function ofChat(key: string, value: JsonNode): JsonMember[] {
  if (alike.has(key)) return [[key, value]];
  if (key === 'tools') return [[key, toNode([{ type: 'function', function: tool }])]];
  if (key === 'reasoning') return renamed(value, 'effort', 'reasoning_effort');
  if (key !== 'text') return [];
  const format = member(value, 'format');
  return [
    ...renamed(value, 'verbosity', 'verbosity'),
    ...(format === undefined ? [] : [['response_format', nested(format)] satisfies JsonMember]),
  ];
}

function renamed(node: JsonNode, from: string, to: string): JsonMember[] {
  const value = member(node, from);
  return value === undefined ? [] : [[to, value]];
}

/** A format of the answer as the chat API has it. */
function nested(format: JsonNode): JsonNode {
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
