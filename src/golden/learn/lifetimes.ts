import { filterMembers, type JsonNode, member, stringAt } from '../../wire/json.ts';
import { jsonMark, type Lifetime, type Variable } from '../golden.ts';
import { kinds, type VariableKind } from '../pattern/kinds.ts';
import { baseName } from '../pattern/unique-names.ts';
import { clientJson, type Exchange } from '../trace/exchanges.ts';
import { requestHeader, threadIdOf } from '../trace/threads.ts';
import { variablesFromBackend, variablesInJson } from '../trace/variable-uses.ts';

/** Where a variable is used, except in input items: these repeat what earlier requests sent. */
type VariableUse = { readonly thread: string; readonly requests: Set<number>; readonly turns: Set<string> };

/** One client request of a golden: a websocket message, or the body of an HTTP request. `turn` is empty in a prewarm. */
type ClientRequest = { readonly thread: string; readonly turn: string; readonly node: JsonNode };

/**
 * How long the values of these variables live, as far as the golden shows it. Secrets of the sign-in live as long as the
 * installation. Each connection has its own websocket key (RFC 6455, 4.1). For other variables, those of the same base
 * name in the same thread are compared:
 *
 * - Used in several turns, and the only one of its name: `session`.
 * - Another one of its name in another turn: `turn`.
 * - Another one of its name in another request of the same turn, or in a request without a turn: `request`.
 * - Used in input items only: `item`.
 */
export function learnLifetimes(
  exchanges: readonly Exchange[],
  variables: Iterable<Pick<Variable, 'name' | 'kind'>>,
): ReadonlyMap<string, Lifetime> {
  const requests = exchanges.flatMap(clientRequests);
  const uses = usesIn(requests);
  const inItems = new Set(requests.flatMap(({ node }) => variablesInJson(member(node, 'input'))));
  const fromBackend = variablesFromBackend(exchanges);
  const learned = new Map<string, Lifetime>();
  const all = [...variables];
  for (const { name, kind } of all) {
    const use = uses.get(name);
    const siblings = all
      .filter((other) => other.name !== name && baseName(other.name) === baseName(name))
      .flatMap((other) => uses.get(other.name) ?? [])
      .filter(({ thread }) => thread === use?.thread);
    const isClientMade = !fromBackend.has(name) && (kinds[kind].isIdentifier || kinds[kind].isClock);
    const lifetime =
      lifetimeOfKind[kind] ?? (isClientMade ? lifetimeOf(use, siblings, inItems.has(name)) : undefined);
    if (lifetime !== undefined) learned.set(name, lifetime);
  }
  return learned;
}

const lifetimeOfKind: Readonly<Partial<Record<VariableKind, Lifetime>>> = {
  secret: 'installation',
  secret_uuid4: 'installation',
  websocket_key: 'connection',
};

function lifetimeOf(
  use: VariableUse | undefined,
  siblings: readonly VariableUse[],
  inItems: boolean,
): Lifetime | undefined {
  if (use === undefined) return inItems ? 'item' : undefined;
  const { turns } = use;
  if ([...turns].filter((turn) => turn !== '').length > 1)
    return siblings.length === 0 ? 'session' : undefined;
  // If one of them outlives a request or a turn, the others may too.
  const all = [use, ...siblings];
  const [turn = ''] = turns;
  const sharesTurn = (sibling: VariableUse) =>
    sibling.turns.has(turn) || sibling.turns.has('') || turn === '';
  if (all.every(({ requests }) => requests.size === 1) && siblings.some(sharesTurn)) return 'request';
  const eachInOneTurn = all.every(({ turns }) => turns.size === 1 && !turns.has(''));
  return siblings.length > 0 && eachInOneTurn ? 'turn' : undefined;
}

function usesIn(requests: readonly ClientRequest[]): Map<string, VariableUse> {
  const uses = new Map<string, VariableUse>();
  for (const [index, { thread, turn, node }] of requests.entries()) {
    const withoutInput = filterMembers(node, (key) => key !== 'input');
    for (const name of variablesInJson(withoutInput)) {
      const use = uses.get(name) ?? { thread, requests: new Set(), turns: new Set() };
      use.requests.add(index);
      use.turns.add(turn);
      uses.set(name, use);
    }
  }
  return uses;
}

function clientRequests({ request, steps }: Exchange): ClientRequest[] {
  const thread = threadIdOf(request) ?? '';
  return steps.flatMap((step) => {
    const node = clientJson(step);
    if (node === undefined) return [];
    const clientMetadata = member(node, 'client_metadata');
    const turnMetadata =
      member(clientMetadata, 'x-codex-turn-metadata') ?? requestHeader(request, /^x-codex-turn-metadata$/i);
    const turn = stringAt(clientMetadata, 'turn_id') ?? stringAt(turnMetadata, jsonMark, 'turn_id') ?? '';
    return [{ thread, turn, node }];
  });
}
