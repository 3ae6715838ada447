import { type JsonNode, printJson } from '../../wire/json.ts';
import { type Difference, jsonValue } from './mismatch.ts';

/** The difference between two nodes that are not spelled alike. */
export function differenceOf(expected: JsonNode, actual: JsonNode): Difference {
  if (sameValue(expected, actual)) return respelled(expected, actual);
  const kind = jsonType(expected) === jsonType(actual) ? 'changed' : 'retyped';
  return { kind, expected: jsonValue(expected), actual: jsonValue(actual) };
}

/** The difference between two spellings of one value. */
export function respelled(expected: JsonNode, actual: JsonNode): Difference {
  return { kind: 'respelled', spelling: 'value', expected: printJson(expected), actual: printJson(actual) };
}

function sameValue(expected: JsonNode, actual: JsonNode): boolean {
  if (expected.kind === 'number' && actual.kind === 'number')
    return normalNumber(expected.text) === normalNumber(actual.text);
  return expected.kind === 'string' && actual.kind === 'string' && expected.value === actual.value;
}

function jsonType(node: JsonNode): string {
  return node.kind === 'literal' ? typeof node.value : node.kind;
}

/**
 * One text for all spellings of a number of any size: its significant digits and a power of ten. A power that is too large
 * for exact arithmetic gives the text itself.
 */
function normalNumber(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const all = whole + fraction;
  // Not by expressions such as /0+$/: they take quadratic time for many zeros in the middle.
  let [start, end] = [0, all.length];
  while (all[start] === '0') start += 1;
  while (end > start && all[end - 1] === '0') end -= 1;
  if (start === end) return '0';
  const power = Number(exponent) - fraction.length + all.length - end;
  return Number.isSafeInteger(power) ? `${sign}${all.slice(start, end)}e${power}` : text;
}
