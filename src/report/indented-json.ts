import { type JsonNode, jsonMember, jsonString, mapChildren, printJson, toNode } from '../wire/json.ts';
import { count } from './count.ts';

/** A list or object that takes more lines is folded, unless it is one of the outermost. */
const foldedLines = 24;
const outermostLevels = 3;
/** A string with more characters is folded. */
const foldedText = 1000;
/** In one line, values with more characters are folded. */
const foldedInLine = 60;
const lineWidth = 100;

/**
 * JSON with a member or item per line. What fits on one line stays there. Unless `full`, long values are folded: it is
 * still JSON, and says in their places what was left out.
 */
export function indentedJson(node: JsonNode, { full }: { readonly full: boolean }): string[] {
  return linesOf(full ? node : withShortTexts(node), { indent: '', level: 0, full });
}

/** A message in one line of JSON, with its long members folded. */
export function foldedLine(node: JsonNode): string {
  return printJson(
    mapChildren(node, (value) => (printJson(value).length > foldedInLine ? folded(value) : value)),
  );
}

type Position = { readonly indent: string; readonly level: number; readonly full: boolean };

function linesOf(node: JsonNode, { indent, level, full }: Position): string[] {
  const line = printJson(node);
  if ((node.kind !== 'object' && node.kind !== 'array') || line.length + indent.length <= lineWidth)
    return [line];
  const below = { indent: `${indent}  `, level: level + 1, full };
  const parts =
    node.kind === 'array'
      ? node.items.map((item) => linesOf(item, below))
      : node.members.map(([key, value, spelling]) => {
          const [first = '', ...rest] = linesOf(value, below);
          return [`${spelling ?? JSON.stringify(key)}: ${first}`, ...rest];
        });
  const inner = parts.flatMap((lines, index) => {
    const end = index < parts.length - 1 ? ',' : '';
    return lines.map((text, at) => `  ${text}${at === lines.length - 1 ? end : ''}`);
  });
  if (!full && level >= outermostLevels && inner.length > foldedLines) return [printJson(folded(node))];
  return node.kind === 'array' ? ['[', ...inner, ']'] : ['{', ...inner, '}'];
}

function withShortTexts(node: JsonNode): JsonNode {
  if (node.kind === 'string') return node.value.length > foldedText ? folded(node) : node;
  return mapChildren(node, withShortTexts);
}

/** A value of the same type that says how long it is. */
function folded(node: JsonNode): JsonNode {
  const length = count(printJson(node).length, 'character');
  switch (node.kind) {
    case 'array':
      return toNode([`… ${count(node.items.length, 'item')}, ${length}`]);
    case 'object':
      return {
        kind: 'object',
        members: [jsonMember('…', jsonString(`${count(node.members.length, 'member')}, ${length}`))],
      };
    case 'string':
      return jsonString(`${node.value.slice(0, 40)}… (${node.value.length} characters)`);
    default:
      return node;
  }
}
