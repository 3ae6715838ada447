import type { RequestEvent } from '../../trace/trace-event.ts';
import { type JsonNode, member, stringAt, tryParseJson } from '../../wire/json.ts';

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

/**
 * The thread of a request, and its rank. Threads are sorted by rank; those of equal rank keep their order. Subagents are
 * recognised by what only they send, and their thread by the id that most of its places have: a request with one wrong
 * or missing id still belongs to its thread.
 */
function threadOf(request: RequestEvent): { readonly name: string; readonly rank: string } {
  const metadata = tryParseJson(textOf(requestHeader(request, /^x-codex-turn-metadata$/i)) ?? '')?.node;
  const kind = textOf(requestHeader(request, /^x-openai-subagent$/i)) ?? stringAt(metadata, 'subagent_kind');
  const parent =
    requestHeader(request, /^x-codex-parent-thread-id$/i) ?? member(metadata, 'parent_thread_id');
  if (kind === undefined && parent === undefined) return { name: '', rank: '' };
  const ids = [
    threadIdOf(request),
    textOf(requestHeader(request, /^x-client-request-id$/i)),
    textOf(requestHeader(request, /^x-codex-window-id$/i))?.replace(/:\d+$/, ''),
    stringAt(metadata, 'thread_id'),
  ].filter((id) => id !== undefined);
  const [id = ''] = ids.toSorted((a, b) => count(ids, b) - count(ids, a));
  const agent = stringAt(metadata, 'agent_name') ?? '';
  return { name: JSON.stringify([agent, id]), rank: `${kind ?? ''}\n${agent}` };
}

function count(list: readonly string[], value: string): number {
  return list.filter((other) => other === value).length;
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
