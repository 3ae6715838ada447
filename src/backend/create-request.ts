import { parseObject } from './json-object.ts';

/** A function as a request offers it. */
export type OfferedFunction = { readonly name: string; readonly namespace?: string };

/** The members of a request for a response that the reply depends on, or repeats. */
export type CreateRequest = {
  /** False only in a prewarm: the client wants an id to chain to, and no output. */
  readonly generate: boolean;
  readonly model: string;
  readonly previousResponseId: string | null;
  readonly serviceTier: string | null;
  readonly promptCacheKey: string | null;
  readonly parallelToolCalls: boolean;
  /** The functions at top level; undefined for a lite model, whose tools are input items (measured: codex 0.169.0). */
  readonly functions: readonly OfferedFunction[] | undefined;
  /** The functions that the input brings: a lite model's first request does (measured: codex 0.169.0). */
  readonly functionsInInput: readonly OfferedFunction[];
  /** The input ends with the trigger to compact the thread (measured: codex 0.140.0 to 0.169.0). */
  readonly compacts: boolean;
};

export type ReadCreateRequest =
  | { readonly understood: true; readonly request: CreateRequest }
  | { readonly understood: false; readonly reason: string };

/**
 * Reads a websocket frame (`type` is `response.create`) or an HTTP body (which has no `type`). Lenient about every
 * member, since judging what a client says is not the backend's business; strict about what the message is.
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
      functions: Array.isArray(message.tools) ? message.tools.flatMap(offered) : undefined,
      functionsInInput: Array.isArray(message.input) ? message.input.flatMap(offeredBy) : [],
      compacts: Array.isArray(message.input) && asObject(message.input.at(-1)).type === 'compaction_trigger',
    },
  };
}

/** Whether a frame asks for the running response to end, to be steered (measured: codex 0.169.0). */
export function isInterrupt(text: string): boolean {
  return parseObject(text)?.type === 'response.interrupt';
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function offered(tool: unknown): OfferedFunction[] {
  const { type, name, tools } = asObject(tool);
  if (typeof name !== 'string') return [];
  if (type === 'function') return [{ name }];
  if (type !== 'namespace' || !Array.isArray(tools)) return [];
  return tools.flatMap(offered).map((one) => ({ ...one, namespace: name }));
}

function offeredBy(item: unknown): OfferedFunction[] {
  const { type, tools } = asObject(item);
  return type === 'additional_tools' && Array.isArray(tools) ? tools.flatMap(offered) : [];
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
