import { type JsonNode, type JsonObject, printJson, stringAt } from '../../wire/json.ts';
import { mostMembers } from '../http/body.ts';
import { itemsFromMessages } from './chat-messages.ts';
import { objectNode } from './object-node.ts';
import { Param } from './param.ts';
import { responseFormat, responseToolChoice, responseTools } from './tools.ts';

/**
 * Translates the body of `POST /v1/chat/completions` to the equivalent `body` for the Responses API. Returns too whether
 * the client wants chunks instead of one completion, and a last chunk with the usage, and whether messages have names,
 * which input items cannot have. Throws ApiError with the name of the parameter if there is no translation.
 */
export function chatRequest(body: JsonNode) {
  const request = new Param('', body);
  if (request.object().members.length > mostMembers) {
    throw request.error(`The body must have up to ${mostMembers} members.`);
  }
  for (const key of unsupportedMembers.keys()) requireTranslatable(request.member(key));
  const includesUsage = request.member('stream_options').member('include_usage');
  return {
    body: responseRequest(request),
    hasNames: request.member('messages').items().some(isNamed),
    streams: isTrue(request.member('stream')),
    includesUsage: isTrue(includesUsage),
  };
}

/** Members that have the same meaning in both APIs, and the kind of their values. */
const sharedMembers = {
  parallel_tool_calls: 'boolean',
  temperature: 'number',
  top_p: 'number',
  service_tier: 'string',
  prompt_cache_key: 'string',
  prompt_cache_retention: 'string',
  prompt_cache_options: 'object',
  safety_identifier: 'string',
  user: 'string',
  metadata: 'object',
  moderation: 'object',
} as const;

/** Members with a translation. */
const translatedMembers: ReadonlySet<string> = new Set([
  'model',
  'messages',
  'tools',
  'tool_choice',
  'response_format',
  'reasoning_effort',
  'verbosity',
  'max_tokens',
  'max_completion_tokens',
  'stream',
  'stream_options',
]);

/**
 * Members that the Responses API lacks, and the values, as JSON, that have no effect. Any other value is an error: the
 * response would silently differ from what the client requested. */
const unsupportedMembers: ReadonlyMap<string, readonly string[]> = new Map([
  ['audio', []],
  ['function_call', []],
  ['functions', ['[]']],
  ['modalities', ['["text"]']],
  ['web_search_options', []],
]);

function requireTranslatable(param: Param): void {
  const { name, value } = param;
  const harmless = unsupportedMembers.get(name);
  if (value === undefined || harmless?.includes(printJson(value)) !== false) return;
  const message = `'${name}' is not supported by the Codex backend: leave it out.`;
  throw param.error(message, 'unsupported_parameter');
}

/** Whether a member is passed on as it is; see sessions/member-rules.ts. */
function isUntranslated(key: string): boolean {
  return !translatedMembers.has(key) && !unsupportedMembers.has(key) && !Object.hasOwn(sharedMembers, key);
}

function responseRequest(request: Param): JsonObject {
  const optional = (key: string, translate: (param: Param) => JsonNode) => {
    const param = request.member(key);
    return param.value === undefined ? undefined : translate(param);
  };
  const text = objectNode({
    format: optional('response_format', responseFormat),
    verbosity: optional('verbosity', string),
  });
  const effort = optional('reasoning_effort', string);
  const shared = Object.entries(sharedMembers).map(([key, kind]) => [key, optional(key, readers[kind])]);
  const others = request.object().members.filter(([key]) => isUntranslated(key));
  return objectNode({
    ...Object.fromEntries(others),
    model: request.member('model').string(),
    input: itemsFromMessages(request.member('messages')),
    tools: optional('tools', responseTools),
    tool_choice: optional('tool_choice', responseToolChoice),
    reasoning: effort === undefined ? undefined : objectNode({ effort }),
    stream: true,
    text: text.members.length === 0 ? undefined : text,
    max_output_tokens: optional('max_completion_tokens', number) ?? optional('max_tokens', number),
    ...Object.fromEntries(shared),
  });
}

const string = (param: Param): JsonNode => param.string();
const number = (param: Param): JsonNode => param.number();
const readers = {
  string,
  number,
  object: (param: Param): JsonNode => param.object(),
  boolean: (param: Param): JsonNode => ({ kind: 'literal', value: param.boolean() }),
};

function isNamed(message: Param): boolean {
  return message.member('name').value !== undefined && stringAt(message.node, 'role') !== 'tool';
}

function isTrue(param: Param): boolean {
  return param.value !== undefined && param.boolean();
}
