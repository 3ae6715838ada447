import type { RequestEvent } from '../../trace/trace-event.ts';
import { stringAt, tryParseJson } from '../../wire/json.ts';

/**
 * Exchanges in an order that is the same in every run: those of the root thread first, in the order they began, then
 * those of each subagent, sorted by its kind and name. Threads send at the same time, each on a connection of its own,
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

/** The thread of a request, and its rank: threads are sorted by rank, those of equal rank keep their order. */
function threadOf({ headers }: RequestEvent): { readonly name: string; readonly rank: string } {
  const header = (pattern: RegExp): string | undefined => {
    const value = headers.find(([name]) => pattern.test(name))?.[1];
    return value?.kind === 'string' ? value.value : undefined;
  };
  const thread = header(/^thread[-_]id$/i);
  const subagent = header(/^x-openai-subagent$/i);
  if (subagent === undefined && (thread === undefined || thread === header(/^session[-_]id$/i))) {
    return { name: '', rank: '' };
  }
  const metadata = tryParseJson(header(/^x-codex-turn-metadata$/i) ?? '')?.node;
  return {
    name: JSON.stringify([subagent, thread]),
    rank: `${subagent ?? ''}\n${stringAt(metadata, 'agent_name') ?? ''}`,
  };
}
