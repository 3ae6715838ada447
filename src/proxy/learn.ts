import type { Golden } from '../golden/golden.ts';
import { kinds } from '../golden/kinds.ts';
import type { Matcher } from '../golden/match.ts';
import type { JsonNode } from '../wire/json.ts';

/** Lets a matcher meet what a client said at a place of the golden. */
export function learn(matcher: Matcher, pattern: JsonNode, said: JsonNode): void {
  matcher.node(pattern, said, { exchange: 1, part: 'client', path: [] });
}

/** Whether a client's value may stand for a variable. What is sealed in a golden is a plain id on the wire. */
export function takes(golden: Golden, name: string, value: string): boolean {
  const kind = golden.variables.get(name)?.kind;
  if (kind === undefined) return false;
  return kinds[kind === 'secret_uuid4' ? 'uuid4' : kind].takes(value);
}
