import type { ComparedValue, Difference } from '../golden/match/mismatch.ts';
import { seals } from '../trace/seal.ts';
import { type JsonNode, jsonString, mapJson } from '../wire/json.ts';
import type { Finding } from './finding.ts';

const eachSeal = new RegExp(seals.source, 'g');

/** The finding with texts in place of their seals, where they are known: what a subject added can be read. */
export function revealed(finding: Finding, texts: ReadonlyMap<string, string>): Finding {
  return texts.size === 0 ? finding : { ...finding, ...withTexts(finding, texts) };
}

/** The value with texts in place of their seals, where they are known. */
export function revealedNode(sealed: JsonNode, texts: ReadonlyMap<string, string>): JsonNode {
  return mapJson(sealed, (one) => {
    if (one.kind !== 'string' || !seals.test(one.value)) return one;
    const text = one.value.replaceAll(eachSeal, (seal) => texts.get(seal) ?? seal);
    return text === one.value ? one : jsonString(text);
  });
}

function withTexts(difference: Difference, texts: ReadonlyMap<string, string>): Difference {
  const value = (sealed: ComparedValue): ComparedValue =>
    sealed.type === 'json' ? { ...sealed, node: revealedNode(sealed.node, texts) } : sealed;
  switch (difference.kind) {
    case 'added':
    case 'changed':
    case 'retyped':
      return { ...difference, actual: value(difference.actual) };
    default:
      return difference;
  }
}
