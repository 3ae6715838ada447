import { parseObject } from './json-object.ts';

/** A function tool of a request. */
export type OfferedFunction = { readonly name: string; readonly namespace?: string };

/** What the response to a request depends on or repeats. */
export type CreateRequest = {
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
  /** The input ends with the trigger to compact the thread (measured: codex 0.140.0 to 0.169.0). */
  readonly compacts: boolean;
};

export type ReadCreateRequest =
  | { readonly understood: true; readonly request: CreateRequest }
  | { readonly understood: false; readonly reason: string };

/**
 * Reads a websocket message (`type` is `response.create`) or an HTTP body (which has no `type`). It accepts any members:
 * the comparison with the golden judges them.
 */
export function readCreateRequest(text: string): ReadCreateRequest {
  const message = parseObject(text);
  if (message === undefined) return { understood: false, reason: 'not a JSON object' };
  const type = message.type ?? 'response.create';
  if (type !== 'response.create') return { understood: false, reason: `type ${JSON.stringify(type)}` };
  return {
    understood: true,
    request: {
      generate: message.generate !== false,
      model: textOrNull(message.model) ?? 'unknown',
      previousResponseId: textOrNull(message.previous_response_id),
      serviceTier: textOrNull(message.service_tier),
      promptCacheKey: textOrNull(message.prompt_cache_key),
      parallelToolCalls: message.parallel_tool_calls === true,
      functions: Array.isArray(message.tools) ? message.tools.flatMap(functionsOf) : undefined,
      functionsInInput: Array.isArray(message.input) ? message.input.flatMap(functionsIn) : [],
      compacts: Array.isArray(message.input) && asObject(message.input.at(-1)).type === 'compaction_trigger',
    },
  };
}

/** Whether a message ends the running response, so that the client can steer it (measured: codex 0.169.0). */
export function isInterrupt(text: string): boolean {
  return parseObject(text)?.type === 'response.interrupt';
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function functionsOf(tool: unknown): OfferedFunction[] {
  const { type, name, tools } = asObject(tool);
  if (typeof name !== 'string') return [];
  if (type === 'function') return [{ name }];
  if (type !== 'namespace' || !Array.isArray(tools)) return [];
  return tools.flatMap(functionsOf).map((tool) => ({ ...tool, namespace: name }));
}

function functionsIn(item: unknown): OfferedFunction[] {
  const { type, tools } = asObject(item);
  return type === 'additional_tools' && Array.isArray(tools) ? tools.flatMap(functionsOf) : [];
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
