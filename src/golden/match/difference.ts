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

/** One text for all spellings of a number of any size: its significant digits and a power of ten. */
function normalNumber(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const all = (whole + fraction).replace(/^0+/, '');
  const digits = all.replace(/0+$/, '');
  if (digits === '') return '0';
  return `${sign}${digits}e${Number(exponent) - fraction.length + all.length - digits.length}`;
}
