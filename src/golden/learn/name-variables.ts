import { decodeEvent, encodeEvent } from '../../trace/codec.ts';
import type { TraceEvent } from '../../trace/event.ts';
import { type JsonNode, jsonMember, jsonString } from '../../wire/json.ts';
import type { Variable } from '../golden.ts';
import { parseTemplate, printTemplate } from '../pattern/template.ts';
import type { Exchange } from '../trace/exchanges.ts';

/** Variables by their tokens. */
type Names = ReadonlyMap<string, Pick<Variable, 'name'>>;

/** An exchange in which the tokens of its variables are replaced by their names. */
export function nameVariables(exchange: Exchange, variables: Names): Exchange {
  return {
    ...exchange,
    request: rename(exchange.request, variables),
    steps: exchange.steps.map((step) => rename(step, variables)),
  };
}

function rename<T extends TraceEvent>(event: T, variables: Names): T {
  return decodeEvent(renameIn(encodeEvent(event), variables)) as T;
}

function renameIn(node: JsonNode, variables: Names): JsonNode {
  switch (node.kind) {
    case 'array':
      return { kind: 'array', items: node.items.map((item) => renameIn(item, variables)) };
    case 'object':
      return {
        kind: 'object',
        members: node.members.map(([key, value, spelling]) =>
          jsonMember(key, renameIn(value, variables), spelling),
        ),
      };
    case 'string': {
      if (!node.value.includes('{{#')) return node;
      const parts = parseTemplate(node.value).map((part) =>
        'variable' in part ? { variable: variables.get(part.variable)?.name ?? part.variable } : part,
      );
      return jsonString(printTemplate(parts));
    }
    default:
      return node;
  }
}
