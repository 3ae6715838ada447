import { type JsonNode, type JsonObject, printJson } from '../../wire/json.ts';
import { itemsFromMessages } from './chat-messages.ts';
import { objectNode } from './object-node.ts';
import { Param } from './param.ts';
import { responseFormat, responseToolChoice, responseTools } from './tools.ts';

/**
 * Translates the body of `POST /v1/chat/completions` to the equivalent `body` for the Responses API. Returns too whether
 * the client wants chunks instead of one completion, and a last chunk with the usage. Throws ApiError with the name of
 * the parameter if there is no translation.
 */
export function chatRequest(body: JsonNode) {
  const request = new Param('', body);
  for (const [key] of request.object().members) requireTranslatable(request.member(key));
  const includesUsage = request.member('stream_options').member('include_usage');
  return {
    body: responseRequest(request),
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

/** Members that may be ignored: best-effort determinism, and predictions that only save time. */
const ignoredMembers: ReadonlySet<string> = new Set(['seed', 'prediction']);

/**
 * Members that the Responses API lacks, and the values, as JSON, that have no effect. Any other value is an error: the
 * response would silently differ from what the client requested.
 */
const unsupportedMembers: ReadonlyMap<string, readonly string[]> = new Map([
  ['audio', []],
  ['frequency_penalty', ['0', '0.0']],
  ['function_call', []],
  ['functions', ['[]']],
  ['logit_bias', ['{}']],
  ['logprobs', ['false']],
  ['modalities', ['["text"]']],
  ['n', ['1']],
  ['presence_penalty', ['0', '0.0']],
  ['stop', ['[]']],
  ['store', ['false']],
  ['top_logprobs', ['0']],
  ['web_search_options', []],
]);

function requireTranslatable(param: Param): void {
  const { name, value } = param;
  if (value === undefined || Object.hasOwn(sharedMembers, name)) return;
  if (translatedMembers.has(name) || ignoredMembers.has(name)) return;
  const harmless = unsupportedMembers.get(name);
  if (harmless === undefined) throw param.error(`Unknown parameter: '${name}'.`, 'unknown_parameter');
  if (harmless.includes(printJson(value))) return;
  const message = `'${name}' is not supported by the Codex backend: leave it out.`;
  throw param.error(message, 'unsupported_parameter');
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
  return objectNode({
    model: request.member('model').string(),
    // Models with instructions at top level refuse a request without them (reported by users of the backend, not
    // measured). Empty instructions add no text to what the client sent.
    instructions: '',
    input: itemsFromMessages(request.member('messages')),
    tools: optional('tools', responseTools),
    tool_choice: optional('tool_choice', responseToolChoice),
    reasoning: effort === undefined ? undefined : objectNode({ effort }),
    store: false,
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

function isTrue(param: Param): boolean {
  return param.value !== undefined && param.boolean();
}
