import {
  itemsOf,
  type JsonNode,
  type JsonObject,
  member,
  printJson,
  stringAt,
  tryParseJson,
} from '../wire/json.ts';

/** A function tool of a request. */
export type OfferedFunction = { readonly name: string; readonly namespace?: string };

/** What the response to a request depends on or repeats. */
export type CreateRequest = {
  readonly body: JsonObject;
  /** False only in a prewarm: the client needs an id to chain to, and no output. */
  readonly generate: boolean;
  readonly model: string;
  readonly previousResponseId: string | null;
  readonly serviceTier: string | null;
  readonly promptCacheKey: string | null;
  readonly parallelToolCalls: boolean;
  /** The functions at top level; undefined for a lite model, whose tools are input items (measured: codex 0.169.0). */
  readonly functions: readonly OfferedFunction[] | undefined;
  /** The functions in the input, where a lite model's first request has them (measured: codex 0.169.0). */
  readonly functionsInInput: readonly OfferedFunction[];
  /** Whether reasoning items have their encrypted content. */
  readonly includesReasoning: boolean;
  /** The input ends with the trigger to compact the thread (measured: codex 0.140.0 to 0.169.0). */
  readonly compacts: boolean;
};

type ReadCreateRequest =
  | { readonly understood: true; readonly request: CreateRequest }
  | { readonly understood: false; readonly reason: string };

/**
 * Reads a websocket message (`type` is `response.create`) or an HTTP body (which has no `type`). It accepts any members:
 * the comparison with the golden judges them.
 */
export function readCreateRequest(text: string): ReadCreateRequest {
  const message = tryParseJson(text)?.node;
  if (message?.kind !== 'object') return { understood: false, reason: 'not a JSON object' };
  const type = member(message, 'type');
  if (type !== undefined && stringAt(message, 'type') !== 'response.create')
    return { understood: false, reason: `type ${printJson(type)}` };
  const tools = member(message, 'tools');
  const input = itemsOf(member(message, 'input'));
  return {
    understood: true,
    request: {
      body: message,
      generate: !isLiteral(member(message, 'generate'), false),
      model: stringAt(message, 'model') ?? 'unknown',
      previousResponseId: stringAt(message, 'previous_response_id') ?? null,
      serviceTier: stringAt(message, 'service_tier') ?? null,
      promptCacheKey: stringAt(message, 'prompt_cache_key') ?? null,
      parallelToolCalls: isLiteral(member(message, 'parallel_tool_calls'), true),
      functions: tools?.kind === 'array' ? tools.items.flatMap(functionsOf) : undefined,
      functionsInInput: input.flatMap(functionsIn),
      includesReasoning: itemsOf(member(message, 'include')).some(
        (item) => item.kind === 'string' && item.value === 'reasoning.encrypted_content',
      ),
      compacts: stringAt(input.at(-1), 'type') === 'compaction_trigger',
    },
  };
}

/** Whether a message ends the running response, so that the client can steer it (measured: codex 0.169.0). */
export function isInterrupt(text: string): boolean {
  return stringAt(tryParseJson(text)?.node, 'type') === 'response.interrupt';
}

function isLiteral(node: JsonNode | undefined, value: boolean): boolean {
  return node?.kind === 'literal' && node.value === value;
}

function functionsOf(tool: JsonNode): OfferedFunction[] {
  const [type, name] = [stringAt(tool, 'type'), stringAt(tool, 'name')];
  if (name === undefined) return [];
  if (type === 'function') return [{ name }];
  if (type !== 'namespace') return [];
  return itemsOf(member(tool, 'tools'))
    .flatMap(functionsOf)
    .map((inner) => ({ ...inner, namespace: name }));
}

function functionsIn(item: JsonNode): OfferedFunction[] {
  return stringAt(item, 'type') === 'additional_tools'
    ? itemsOf(member(item, 'tools')).flatMap(functionsOf)
    : [];
}
