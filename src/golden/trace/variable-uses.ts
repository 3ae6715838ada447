import { encodeEvent } from '../../trace/codec.ts';
import type { TraceEvent } from '../../trace/trace-event.ts';
import { type JsonNode, stringsIn } from '../../wire/json.ts';
import { parseTemplate } from '../pattern/template.ts';
import { type Exchange, eventsOf } from './exchanges.ts';

/**
 * The variables that the backend sends first, such as response ids. Their value is whatever the backend sends. All other
 * values, such as the session id, it only repeats: from a client that is wrong it repeats the wrong value.
 */
export function variablesFromBackend(exchanges: readonly Exchange[]): ReadonlySet<string> {
  const events = exchanges.flatMap(eventsOf);
  const isFromBackend = (event: TraceEvent | undefined) =>
    event?.type === 'response' || (event !== undefined && 'from' in event && event.from === 'backend');
  const first = [...firstAppearances(exchanges)].filter(([, index]) => isFromBackend(events[index]));
  return new Set(first.map(([name]) => name));
}

/** What firstAppearances returned for the exchanges of a golden. */
const appearances = new WeakMap<readonly Exchange[], ReadonlyMap<string, number>>();

/** For each variable, the index of the event in which it first appears. */
export function firstAppearances(exchanges: readonly Exchange[]): ReadonlyMap<string, number> {
  const known = appearances.get(exchanges) ?? findFirstAppearances(exchanges);
  appearances.set(exchanges, known);
  return known;
}

function findFirstAppearances(exchanges: readonly Exchange[]): ReadonlyMap<string, number> {
  const first = new Map<string, number>();
  for (const [index, event] of exchanges.flatMap(eventsOf).entries()) {
    for (const name of variablesInEvent(event)) if (!first.has(name)) first.set(name, index);
  }
  return first;
}

/** The names of the variables in an event, in document order. */
export function variablesInEvent(event: TraceEvent): string[] {
  return variablesInJson(encodeEvent(event));
}

/** The names of the variables in a node, in document order. */
export function variablesInJson(node: JsonNode | undefined): string[] {
  return stringsIn(node)
    .filter((text) => text.includes('{{'))
    .flatMap(parseTemplate)
    .flatMap((part) => ('variable' in part ? [part.variable] : []));
}
