import { parseObject } from './json-object.ts';

/** The members of a request for a response that the reply depends on, or repeats. */
export type CreateRequest = {
  /** False only in a prewarm: the client wants an id to chain to, and no output. */
  readonly generate: boolean;
  readonly model: string;
  readonly previousResponseId: string | null;
  readonly serviceTier: string | null;
  readonly promptCacheKey: string | null;
  readonly parallelToolCalls: boolean;
  /** Asked of a lite model: its tools are input items, and not at top level (measured: codex 0.169.0). */
  readonly lite: boolean;
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
      lite: message.tools === undefined,
    },
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
