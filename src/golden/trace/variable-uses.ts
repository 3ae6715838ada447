import { encodeEvent } from '../../trace/codec.ts';
import type { TraceEvent } from '../../trace/trace-event.ts';
import { type JsonNode, stringsIn } from '../../wire/json.ts';
import { parseTemplate } from '../pattern/template.ts';
import type { Exchange } from './exchanges.ts';

/**
 * The variables that the backend says first, as response ids. Of these it is the judge. What the client says first,
 * such as its session id, the backend only repeats: from a client that is wrong it repeats what is wrong.
 */
export function variablesFromBackend(exchanges: readonly Exchange[]): ReadonlySet<string> {
  const given = new Set<string>();
  const met = new Set<string>();
  for (const { request, steps } of exchanges) {
    for (const event of [request, ...steps]) {
      const fromBackend = event.type === 'response' || ('from' in event && event.from === 'backend');
      for (const name of variablesInEvent(event)) {
        if (fromBackend && !met.has(name)) given.add(name);
        met.add(name);
      }
    }
  }
  return given;
}

/** The number of the event that each variable stands in first. */
export function firstAppearances(exchanges: readonly Exchange[]): ReadonlyMap<string, number> {
  const first = new Map<string, number>();
  const events = exchanges.flatMap(({ request, steps }) => [request, ...steps]);
  for (const [at, event] of events.entries()) {
    for (const name of variablesInEvent(event)) if (!first.has(name)) first.set(name, at);
  }
  return first;
}

/** The names of the variables in an event, in their order. */
export function variablesInEvent(event: TraceEvent): string[] {
  return variablesInJson(encodeEvent(event));
}

/** The names of the variables in a node, in their order. */
export function variablesInJson(node: JsonNode | undefined): string[] {
  return stringsIn(node)
    .flatMap(parseTemplate)
    .flatMap((part) => ('variable' in part ? [part.variable] : []));
}
