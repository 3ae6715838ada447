import type { Golden } from '../golden/golden.ts';

/** How a client speaks in a scenario; `http` is also a scenario that falls back to HTTP. */
export type ScenarioTransport = 'websocket' | 'http';

export function transportIn({ exchanges }: Pick<Golden, 'exchanges'>): ScenarioTransport {
  return exchanges.some(({ request }) => request.method === 'POST') ? 'http' : 'websocket';
}

/** Which of all scenarios show something. */
export type Fold =
  | { readonly type: 'all'; readonly total: number }
  /** All over one transport, and no others. */
  | { readonly type: 'all over'; readonly transport: ScenarioTransport; readonly total: number }
  /** All but few. */
  | { readonly type: 'all but'; readonly others: readonly string[] }
  | { readonly type: 'some'; readonly shown: readonly string[]; readonly total: number };

/** The most scenarios that are left out of `all but`. */
const mostOthers = 3;

/** Folds a list of scenarios. `all` has the transport of each. */
export function fold(
  shown: ReadonlySet<string>,
  all: ReadonlyMap<string, ScenarioTransport | undefined>,
): Fold {
  const total = all.size;
  const others = [...all.keys()].filter((name) => !shown.has(name));
  if (others.length === 0) return { type: 'all', total };
  for (const transport of ['http', 'websocket'] as const) {
    const own = [...all].filter(([, other]) => other === transport).map(([name]) => name);
    if (own.length > 1 && own.length === shown.size && own.every((name) => shown.has(name)))
      return { type: 'all over', transport, total: own.length };
  }
  if (others.length <= mostOthers && total >= 3 * others.length && total > mostOthers)
    return { type: 'all but', others };
  return { type: 'some', shown: [...all.keys()].filter((name) => shown.has(name)), total };
}
