import { type HeaderList, headerValue } from '../wire/headers.ts';
import { itemsOf, type JsonNode, type JsonObject, member, stringAt } from '../wire/json.ts';
import { type Conversation, conversationOf } from './known-responses.ts';
import { isEncryptedContent } from './reasoning.ts';
import type { ScriptedResponse } from './scripted-response.ts';

/** A request for a response, as the rules see it. */
export type StrictRequest = {
  readonly body: JsonObject;
  readonly transport: 'websocket' | 'http';
  /** Of the `POST`, or of the upgrade. */
  readonly headers: HeaderList;
  /** The conversation that the request continues, if the connection has it. */
  readonly previous: Conversation | undefined;
};

type Refusal = Exclude<ScriptedResponse, { readonly kind: 'stream' }>;

/**
 * Returns how the real backend refuses a request, by what its users report; undefined if it accepts it. The sources are
 * in docs/protocol.md.
 */
export function strictRefusal(request: StrictRequest): Refusal | undefined {
  for (const rule of rules) {
    const refusal = rule(request);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** Members that the official client sends (measured: codex 0.118.0 to 0.171.0). */
const members: ReadonlySet<string> = new Set([
  'model',
  'instructions',
  'input',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'reasoning',
  'store',
  'stream',
  'include',
  'service_tier',
  'prompt_cache_key',
  'text',
  'client_metadata',
]);
const websocketMembers: ReadonlySet<string> = new Set(['type', 'previous_response_id', 'generate']);

const tiers: ReadonlySet<string> = new Set(['priority', 'flex', 'default']);

/** The first letters of an item's id, by the item's type. */
const idPrefixes: ReadonlyMap<string, string> = new Map([
  ['message', 'msg'],
  ['reasoning', 'rs'],
  ['function_call', 'fc'],
]);

/** The types of content that a message may have, by its role. */
const inputContent = ['input_text', 'input_image', 'input_file', 'scoped_content', 'encrypted_content'];
const outputContent = ['output_text', 'refusal'];

const liteTools: ReadonlySet<string> = new Set(['function', 'custom', 'tool_search', 'namespace']);

/** What a value that names a conversation may have, in characters. */
const maximumLength = 64;

type Rule = (request: StrictRequest) => Refusal | undefined;

/** The first rule that refuses decides. */
const rules: readonly Rule[] = [
  ({ body, transport }) => {
    const unknown = body.members.find(
      ([key]) => !members.has(key) && !(transport === 'websocket' && websocketMembers.has(key)),
    );
    return unknown && detail(`Unsupported parameter: ${unknown[0]}`);
  },
  (request) => (hasInstructions(request) ? undefined : detail('Instructions are required')),
  ({ body }) => (isLiteral(member(body, 'store'), false) ? undefined : detail('Store must be set to false')),
  ({ body }) => (isLiteral(member(body, 'stream'), true) ? undefined : detail('Stream must be set to true')),
  ({ body }) => (member(body, 'input')?.kind === 'array' ? undefined : detail('Input must be a list')),
  ({ body }) => {
    const tier = stringAt(body, 'service_tier');
    return tier === undefined || tiers.has(tier) ? undefined : detail(`Unsupported service_tier: ${tier}`);
  },
  ({ body }) => {
    const hasSystemMessage = inputOf(body).some((item) => stringAt(item, 'role') === 'system');
    return hasSystemMessage ? detail('System messages are not allowed') : undefined;
  },
  (request) => toolRefusal(request),
  ({ body, headers }) => {
    const names = ['session-id', 'session_id', 'x-client-request-id'];
    const keys = [
      stringAt(body, 'prompt_cache_key'),
      ...names.map((name) => headerValue(headers, name)),
    ].flatMap((key) => key ?? []);
    return first(keys, (key) => tooLong('prompt_cache_key', key));
  },
  ({ body, previous }) => {
    const id = stringAt(body, 'previous_response_id');
    if (id === undefined || previous !== undefined) return undefined;
    const message = `Previous response with id '${id}' not found.`;
    return invalid(message, 'previous_response_id', 'previous_response_not_found');
  },
  ({ body }) => first(inputOf(body), itemRefusal),
  ({ body, previous }) => callRefusal(conversationOf(body, previous)),
];

/**
 * Lite models have no instructions. Since 0.164.0 the official client sends those of other models as a message, which it
 * marks as such (measured). A request that continues a response has that one's.
 */
function hasInstructions({ body, transport, headers, previous }: StrictRequest): boolean {
  if (member(body, 'instructions')?.kind === 'string') return true;
  return previous !== undefined || isLite(body, transport, headers) || inputOf(body).some(isBaseInstructions);
}

function isBaseInstructions(item: JsonNode): boolean {
  const kinds = member(member(item, 'internal_chat_message_metadata_passthrough'), 'content_item_kinds');
  return itemsOf(kinds).some((kind) => kind.kind === 'string' && kind.value === 'model.base_instructions');
}

/** A message over the websocket has its own headers as metadata. */
function isLite(body: JsonNode, transport: 'websocket' | 'http', headers: HeaderList): boolean {
  const flag =
    transport === 'http'
      ? headerValue(headers, 'x-openai-internal-codex-responses-lite')
      : stringAt(body, 'client_metadata', 'ws_request_header_x_openai_internal_codex_responses_lite');
  return flag === 'true';
}

function toolRefusal({ body, transport, headers }: StrictRequest): Refusal | undefined {
  const lite = isLite(body, transport, headers);
  return first(itemsOf(member(body, 'tools')), (tool, index) => {
    const type = stringAt(tool, 'type');
    if (type === undefined) return detail('Unsupported tool type: None');
    if (lite && !liteTools.has(type)) {
      const message =
        'X-OpenAI-Internal-Codex-Responses-Lite only supports function tools, custom tools, and client-executed tool search.';
      return invalid(message, 'tools', 'unsupported_value');
    }
    if ((type !== 'function' && type !== 'custom') || stringAt(tool, 'name') !== undefined) return undefined;
    const param = `tools[${index}].name`;
    return invalid(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter');
  });
}

function itemRefusal(item: JsonNode, index: number): Refusal | undefined {
  const type = stringAt(item, 'type') ?? 'message';
  const id = stringAt(item, 'id');
  const content = stringAt(item, 'encrypted_content');
  if (type === 'item_reference' || (type === 'reasoning' && content === undefined && id !== undefined)) {
    return notStored(id ?? '');
  }
  if (type === 'reasoning' && content !== undefined && !isEncryptedContent(content)) {
    const shown = `${content.slice(0, 4)}...${content.slice(-4)}`;
    const message = `The encrypted content ${shown} could not be verified. Reason: Encrypted content could not be decrypted or parsed.`;
    return invalid(message, null, 'invalid_encrypted_content');
  }
  const prefix = idPrefixes.get(type);
  if (id !== undefined && prefix !== undefined && !id.startsWith(prefix)) {
    const param = `input[${index}].id`;
    const message = `Invalid '${param}': '${id}'. Expected an ID that begins with '${prefix}'.`;
    return invalid(message, param, 'invalid_id_prefix');
  }
  const callId = stringAt(item, 'call_id');
  const refusal = callId === undefined ? undefined : tooLong(`input[${index}].call_id`, callId);
  return refusal ?? contentRefusal(item, type, index);
}

function contentRefusal(item: JsonNode, type: string, index: number): Refusal | undefined {
  const key = type.endsWith('_call_output') ? 'output' : 'content';
  if (key === 'content' && type !== 'message') return undefined;
  const supported =
    key === 'content' && stringAt(item, 'role') === 'assistant' ? outputContent : inputContent;
  return first(itemsOf(member(item, key)), (part, at) => {
    const partType = stringAt(part, 'type') ?? '';
    if (supported.includes(partType)) return undefined;
    const names = supported.map((name) => `'${name}'`);
    const list = `${names.slice(0, -1).join(', ')}${names.length > 2 ? ',' : ''} and ${names.at(-1)}`;
    const message = `Invalid value: '${partType}'. Supported values are: ${list}.`;
    return invalid(message, `input[${index}].${key}[${at}]`, 'invalid_value');
  });
}

/** Each output needs its call, and each call its output. */
function callRefusal(conversation: Conversation): Refusal | undefined {
  const calls = new Map<string, string>();
  const outputs = new Map<string, string>();
  for (const item of conversation) {
    const [type = '', id] = [stringAt(item, 'type'), stringAt(item, 'call_id')];
    if (id === undefined) continue;
    if (/^(?:function|custom_tool)_call$/.test(type)) calls.set(id, type);
    if (/^(?:function|custom_tool)_call_output$/.test(type)) outputs.set(id, type);
  }
  for (const [id, type] of outputs) {
    if (calls.has(id)) continue;
    return invalid(`No tool call found for ${nameOf(type)} output with call_id ${id}.`, 'input', null);
  }
  for (const [id, type] of calls) {
    if (!outputs.has(id)) return invalid(`No tool output found for ${nameOf(type)} ${id}.`, 'input', null);
  }
  return undefined;
}

function nameOf(type: string): string {
  return type.replace('_output', '').replaceAll('_', ' ');
}

function inputOf(body: JsonNode): readonly JsonNode[] {
  return itemsOf(member(body, 'input'));
}

function first<T>(
  items: readonly T[],
  refuse: (item: T, index: number) => Refusal | undefined,
): Refusal | undefined {
  for (const [index, item] of items.entries()) {
    const refusal = refuse(item, index);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function isLiteral(node: JsonNode | undefined, value: boolean): boolean {
  return node?.kind === 'literal' && node.value === value;
}

function detail(text: string): Refusal {
  return { kind: 'rejected', status: 400, detail: text };
}

function notStored(id: string): Refusal {
  const message = `Item with id '${id}' not found. Items are not persisted when \`store\` is set to false. Try again with \`store\` set to true, or remove this item from your input.`;
  return { ...invalid(message, 'input', null), status: 404 };
}

function tooLong(param: string, value: string): Refusal | undefined {
  if (value.length <= maximumLength) return undefined;
  const message = `Invalid '${param}': string too long. Expected a string with maximum length ${maximumLength}, but got a string with length ${value.length} instead.`;
  return invalid(message, param, 'string_above_max_length');
}

function invalid(message: string, param: string | null, code: string | null): Refusal & { kind: 'refused' } {
  const error = JSON.stringify({ message, type: 'invalid_request_error', param, code });
  return { kind: 'refused', status: 400, error, headers: [] };
}
