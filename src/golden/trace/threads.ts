import type { RequestEvent } from '../../trace/trace-event.ts';
import { type JsonNode, stringAt, tryParseJson } from '../../wire/json.ts';

/**
 * Sorts exchanges into an order that is the same in every run: those of the root thread first, in the order they began,
 * then those of each subagent, sorted by its kind and name. Threads send at the same time, each on its own connection,
 * and which of two begins first is chance (measured: codex 0.169.0, scenarios review and subagent).
 */
export function sortByThread<T extends { readonly request: RequestEvent }>(exchanges: readonly T[]): T[] {
  const threads = new Map<string, { readonly rank: string; readonly exchanges: T[] }>();
  for (const exchange of exchanges) {
    const { name, rank } = threadOf(exchange.request);
    const thread = threads.get(name) ?? { rank, exchanges: [] };
    thread.exchanges.push(exchange);
    threads.set(name, thread);
  }
  return [...threads.values()]
    .sort(({ rank: a }, { rank: b }) => (a < b ? -1 : a > b ? 1 : 0))
    .flatMap((thread) => thread.exchanges);
}

/** The thread of a request, and its rank. Threads are sorted by rank; those of equal rank keep their order. */
function threadOf(request: RequestEvent): { readonly name: string; readonly rank: string } {
  const thread = threadIdOf(request);
  const subagent = textOf(requestHeader(request, /^x-openai-subagent$/i));
  const session = textOf(requestHeader(request, /^session[-_]id$/i));
  if (subagent === undefined && (thread === undefined || thread === session)) return { name: '', rank: '' };
  const metadata = tryParseJson(textOf(requestHeader(request, /^x-codex-turn-metadata$/i)) ?? '')?.node;
  return {
    name: JSON.stringify([subagent, thread]),
    rank: `${subagent ?? ''}\n${stringAt(metadata, 'agent_name') ?? ''}`,
  };
}

/** The thread id that a request names; in a golden, its template. */
export function threadIdOf(request: RequestEvent): string | undefined {
  return textOf(requestHeader(request, /^thread[-_]id$/i));
}

/** The value of the first header whose name matches. */
export function requestHeader({ headers }: RequestEvent, name: RegExp): JsonNode | undefined {
  return headers.find(([actual]) => name.test(actual))?.[1];
}

function textOf(value: JsonNode | undefined): string | undefined {
  return value?.kind === 'string' ? value.value : undefined;
}
