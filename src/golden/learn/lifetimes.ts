import type { RequestEvent } from '../../trace/trace-event.ts';
import { type JsonNode, member, stringAt } from '../../wire/json.ts';
import { jsonMark, type Lifetime, lifetimes, type Variable } from '../golden.ts';
import { kinds, type VariableKind } from '../pattern/kinds.ts';
import { baseName } from '../pattern/unique-names.ts';
import type { Exchange } from '../trace/exchanges.ts';
import { variablesFromBackend, variablesInJson } from '../trace/variable-uses.ts';

/** Where a variable stands, outside the items of an input: those repeat what earlier requests said. */
type Use = { readonly thread: string; readonly requests: Set<number>; readonly turns: Set<string> };

/** One client request of a golden: a websocket message, or a whole HTTP request. `turn` is empty in a prewarm. */
type Request = { readonly thread: string; readonly turn: string; readonly node: JsonNode };

/**
 * For how long the values of these variables live, as far as the golden shows it. Values of the sign-in live as long as
 * the installation, and each connection has a websocket key of its own (RFC 6455, 4.1). What stands in several turns of
 * a thread, and is the only one of its name there, lives for the session; what has another of its name in another turn
 * is new at each turn, and in another request of the same turn, or in one that is part of no turn, at each request.
 */
export function learnLifetimes(
  exchanges: readonly Exchange[],
  variables: Iterable<Pick<Variable, 'name' | 'kind'>>,
): ReadonlyMap<string, Lifetime> {
  const requests = exchanges.flatMap(requestsOf);
  const uses = usesIn(requests);
  const inItems = new Set(requests.flatMap(({ node }) => variablesInJson(member(node, 'input'))));
  const given = variablesFromBackend(exchanges);
  const found = new Map<string, Lifetime>();
  const all = [...variables];
  for (const { name, kind } of all) {
    const use = uses.get(name);
    const siblings = all.flatMap(({ name: other }) => {
      const its = other !== name && baseName(other) === baseName(name) ? uses.get(other) : undefined;
      return its !== undefined && its.thread === use?.thread ? [its] : [];
    });
    const isDrawn = !given.has(name) && (kinds[kind].isIdentifier || kinds[kind].isClock);
    const shown = isDrawn ? lifetimeOf(use, siblings, inItems.has(name)) : undefined;
    const lifetime = byKind[kind] ?? shown;
    if (lifetime !== undefined) found.set(name, lifetime);
  }
  return found;
}

export function isLifetime(text: string): text is Lifetime {
  return lifetimes.some((one) => one === text);
}

const byKind: Readonly<Partial<Record<VariableKind, Lifetime>>> = {
  secret: 'installation',
  secret_uuid4: 'installation',
  websocket_key: 'connection',
};

function lifetimeOf(use: Use | undefined, siblings: readonly Use[], inItems: boolean): Lifetime | undefined {
  if (use === undefined) return inItems ? 'item' : undefined;
  const { turns } = use;
  if ([...turns].filter((turn) => turn !== '').length > 1)
    return siblings.length === 0 ? 'session' : undefined;
  // One that outlives a request or a turn shows that those of its name may do so.
  const [turn = ''] = turns;
  const isOfTurn = (other: Use) => other.turns.has(turn) || other.turns.has('') || turn === '';
  const all = [use, ...siblings];
  if (all.every((one) => one.requests.size === 1) && siblings.some(isOfTurn)) return 'request';
  const inTurns = all.every((one) => one.turns.size === 1 && !one.turns.has(''));
  return siblings.length > 0 && inTurns ? 'turn' : undefined;
}

function usesIn(requests: readonly Request[]): Map<string, Use> {
  const uses = new Map<string, Use>();
  for (const [at, { thread, turn, node }] of requests.entries()) {
    const members = node.kind === 'object' ? node.members : [];
    const outside = members.filter(([key]) => key !== 'input').flatMap(([, value]) => variablesInJson(value));
    for (const name of outside) {
      const use = uses.get(name) ?? { thread, requests: new Set(), turns: new Set() };
      use.requests.add(at);
      use.turns.add(turn);
      uses.set(name, use);
    }
  }
  return uses;
}

/** The thread that a request is of; empty where it names none. */
export function threadIdOf(request: RequestEvent): string {
  const threadId = header(request, /^thread[-_]id$/i);
  return threadId?.kind === 'string' ? threadId.value : '';
}

function header({ headers }: RequestEvent, pattern: RegExp): JsonNode | undefined {
  return headers.find(([name]) => pattern.test(name))?.[1];
}

function requestsOf({ request, steps }: Exchange): Request[] {
  const thread = threadIdOf(request);
  return steps.flatMap((step) => {
    if (step.type === 'response' || step.from !== 'client' || step.content.kind !== 'json') return [];
    const node = step.content.json;
    const own = member(node, 'client_metadata');
    const metadata = member(own, 'x-codex-turn-metadata') ?? header(request, /^x-codex-turn-metadata$/i);
    const turn = stringAt(own, 'turn_id') ?? stringAt(metadata, jsonMark, 'turn_id') ?? '';
    return [{ thread, turn, node }];
  });
}
