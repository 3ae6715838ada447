import { Matcher } from '../../golden/match/matcher.ts';
import type { Mismatch, Place } from '../../golden/match/mismatch.ts';
import { type JsonNode, sameJson } from '../../wire/json.ts';

/** The differences between two values without variables. Key order, spelling and duplicate keys count. */
export function compareValues(expected: JsonNode, actual: JsonNode, place: Place): Mismatch[] {
  if (sameJson(expected, actual)) return [];
  const mismatches: Mismatch[] = [];
  const matcher = new Matcher(undefined, {
    mismatch: (mismatch) => mismatches.push(mismatch),
    occurrence: () => {},
  });
  matcher.node(expected, actual, place);
  return mismatches;
}
