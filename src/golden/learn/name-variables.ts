import { mapEvent } from '../../trace/map-event.ts';
import { type JsonNode, jsonString, mapJson } from '../../wire/json.ts';
import type { Variable } from '../golden.ts';
import { parseTemplate, printTemplate } from '../pattern/template.ts';
import type { Exchange } from '../trace/exchanges.ts';

/** Variables by their tokens. */
type Names = ReadonlyMap<string, Pick<Variable, 'name'>>;

/** An exchange in which the tokens of its variables are replaced by their names. */
export function nameVariables(exchange: Exchange, variables: Names): Exchange {
  const name = (value: JsonNode) => mapJson(value, (node) => nameIn(node, variables));
  return {
    ...exchange,
    request: mapEvent(exchange.request, name),
    steps: exchange.steps.map((step) => mapEvent(step, name)),
  };
}

function nameIn(node: JsonNode, variables: Names): JsonNode {
  if (node.kind !== 'string' || !node.value.includes('{{#')) return node;
  const parts = parseTemplate(node.value).map((part) =>
    'variable' in part ? { variable: variables.get(part.variable)?.name ?? part.variable } : part,
  );
  return jsonString(printTemplate(parts));
}
