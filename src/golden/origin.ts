import { encodeEvent } from '../trace/codec.ts';
import type { TraceEvent } from '../trace/event.ts';
import type { JsonNode } from '../wire/json.ts';
import type { Exchange } from './dialogue.ts';
import { parseTemplate } from './template.ts';

/**
 * The variables that the backend says first, as response ids. Of these it is the judge. What the client says first,
 * such as its session id, the backend only repeats: from a client that is wrong it repeats what is wrong.
 */
export function givenByBackend(exchanges: readonly Exchange[]): ReadonlySet<string> {
  const given = new Set<string>();
  const met = new Set<string>();
  for (const { request, steps } of exchanges) {
    for (const event of [request, ...steps]) {
      const fromBackend = event.type === 'response' || ('from' in event && event.from === 'backend');
      for (const name of variablesOf(event)) {
        if (fromBackend && !met.has(name)) given.add(name);
        met.add(name);
      }
    }
  }
  return given;
}

/** The names of the variables in an event, in their order. */
export function variablesOf(event: TraceEvent): string[] {
  const names: string[] = [];
  const visit = (node: JsonNode): void => {
    if (node.kind === 'array') node.items.forEach(visit);
    if (node.kind === 'object') for (const [, value] of node.members) visit(value);
    if (node.kind !== 'string') return;
    for (const part of parseTemplate(node.value)) if ('variable' in part) names.push(part.variable);
  };
  visit(encodeEvent(event));
  return names;
}
