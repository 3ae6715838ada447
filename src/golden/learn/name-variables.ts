import { escapeStyle, inStyle } from '../../trace/escapes.ts';
import { type JsonNode, mapJson } from '../../wire/json.ts';
import type { Variable } from '../golden.ts';
import { parseTemplate, printTemplate } from '../pattern/template.ts';
import { type Exchange, mapExchange } from '../trace/exchanges.ts';

/** Variables by their tokens. */
type TokenTable = ReadonlyMap<string, Pick<Variable, 'name'>>;

/** The exchange with the names of its variables instead of their tokens. */
export function nameVariables(exchange: Exchange, variables: TokenTable): Exchange {
  return mapExchange(exchange, (value) => mapJson(value, (node) => nameIn(node, variables)));
}

function nameIn(node: JsonNode, variables: TokenTable): JsonNode {
  if (node.kind !== 'string' || !node.value.includes('{{#')) return node;
  const parts = parseTemplate(node.value).map((part) =>
    'variable' in part ? { variable: variables.get(part.variable)?.name ?? part.variable } : part,
  );
  return inStyle(printTemplate(parts), escapeStyle(node));
}
