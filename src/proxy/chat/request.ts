import { type JsonNode, type JsonObject, jsonString, printJson } from '../../wire/json.ts';
import { inputItems } from './messages.ts';
import { no, object, yes } from './nodes.ts';
import { Param } from './param.ts';
import { responseFormat, responseToolChoice, responseTools } from './tools.ts';

/** A chat completion that was asked for. */
export type ChatRequest = {
  /** The request for a response that says the same. */
  readonly body: JsonObject;
  /** Whether the client wants chunks as they come, instead of one completion. */
  readonly streams: boolean;
  /** Whether it wants a last chunk that tells the usage. */
  readonly includesUsage: boolean;
};

/**
 * Translates the body of `POST /v1/chat/completions`. Throws ApiError, naming the parameter, for what has no
 * translation.
 */
export function chatRequest(body: JsonNode): ChatRequest {
  const request = new Param('', body);
  for (const [key] of request.object().members) check(request.member(key));
  const includesUsage = request.member('stream_options').member('include_usage');
  return {
    body: responseRequest(request),
    streams: isTrue(request.member('stream')),
    includesUsage: isTrue(includesUsage),
  };
}

/** Members that both APIs have, with the same meaning, and what they must be. */
const carried = {
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

/** Members that are translated, each in its own way. */
const translated: ReadonlySet<string> = new Set([
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

/** Wishes that no answer depends on: determinism "as far as possible", and guesses that save time. */
const wishes: ReadonlySet<string> = new Set(['seed', 'prediction']);

/**
 * Members that the Responses API has nothing for, and the values, as JSON, with which they do nothing. With any other
 * the answer would silently be another one than was asked for.
 */
const without: ReadonlyMap<string, readonly string[]> = new Map([
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

function check(param: Param): void {
  const { name, given } = param;
  if (given === undefined || Object.hasOwn(carried, name)) return;
  if (translated.has(name) || wishes.has(name)) return;
  const harmless = without.get(name);
  if (harmless === undefined) {
    throw param.refused(`Unknown parameter: '${name}'.`, 'unknown_parameter');
  }
  if (harmless.includes(printJson(given))) return;
  throw param.refused(
    `'${name}' is not supported by the Codex backend: leave it out.`,
    'unsupported_parameter',
  );
}

function responseRequest(request: Param): JsonObject {
  const optional = (key: string, translate: (param: Param) => JsonNode) => {
    const param = request.member(key);
    return param.given === undefined ? undefined : translate(param);
  };
  const text = object({
    format: optional('response_format', responseFormat),
    verbosity: optional('verbosity', string),
  });
  const effort = optional('reasoning_effort', string);
  return object({
    model: request.member('model').string(),
    // Models that take instructions at top level refuse a request without (reported by users of the backend, not
    // measured); empty ones add no word to what the client said.
    instructions: jsonString(''),
    input: { kind: 'array', items: inputItems(request.member('messages')) },
    tools: optional('tools', responseTools),
    tool_choice: optional('tool_choice', responseToolChoice),
    reasoning: effort === undefined ? undefined : object({ effort }),
    store: no,
    stream: yes,
    text: text.members.length === 0 ? undefined : text,
    max_output_tokens: optional('max_completion_tokens', number) ?? optional('max_tokens', number),
    ...Object.fromEntries(
      Object.entries(carried).map(([key, kind]) => [key, optional(key, (param) => ofKind[kind](param))]),
    ),
  });
}

const string = (param: Param): JsonNode => param.string();
const number = (param: Param): JsonNode => param.number();
const ofKind = {
  string,
  number,
  object: (param: Param): JsonNode => param.object(),
  boolean: (param: Param): JsonNode => (param.boolean() ? yes : no),
};

function isTrue(param: Param): boolean {
  return param.given !== undefined && param.boolean();
}
