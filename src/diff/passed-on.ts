import { comparedNode, type Mismatch, type PathKey, type Place } from '../golden/match/mismatch.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import { variablesInJson } from '../golden/trace/variable-uses.ts';
import { type JsonNode, jsonString, member, tryParseJson } from '../wire/json.ts';

/**
 * A mismatch without the places where a subject passed on what its client sent, if the value is one that the backend
 * gives, such as a response id; undefined where no place is left. A client repeats what it was given, or makes up a value
 * where it was given none: the cause is what the client received, which response neutrality judges.
 */
export function withoutPassedOn(
  mismatch: Mismatch,
  given: ReadonlySet<string>,
  sent: readonly Exchange[],
): Mismatch | undefined {
  const names = variablesOf(mismatch);
  if (names.length === 0 || !names.every((name) => given.has(name))) return mismatch;
  const actual = comparedNode(mismatch, 'actual');
  const places = mismatch.places.filter((place) => !holds(nodeAt(sent, place), actual));
  if (places.length === mismatch.places.length) return mismatch;
  return places.length === 0 ? undefined : { ...mismatch, places };
}

/** The variables whose value is wrong or missing. */
function variablesOf(mismatch: Mismatch): readonly string[] {
  switch (mismatch.kind) {
    case 'disagrees':
      return [mismatch.variable];
    case 'retyped':
      return mismatch.expected.type === 'variable' ? [mismatch.expected.variable] : [];
    case 'missing':
      return variablesInJson(comparedNode(mismatch, 'expected'));
    default:
      return [];
  }
}

/** Whether a value that the client sent has the value that went upstream, or neither has one. */
function holds(sent: JsonNode | undefined, actual: JsonNode | undefined): boolean {
  if (sent === undefined || actual === undefined) return sent === actual;
  return actual.kind === 'string' && sent.kind === 'string' && sent.value.includes(actual.value);
}

/** What the client sent at a place. */
function nodeAt(sent: readonly Exchange[], place: Place): JsonNode | undefined {
  const exchange = sent[place.exchange - 1];
  if (exchange === undefined) return undefined;
  const { path } = place;
  if (place.part === 'handshake') {
    const header = exchange.request.headers.find(([name]) => name === path[0])?.[1];
    return header === undefined ? undefined : below(header, path.slice(1));
  }
  const payloads = exchange.steps.filter((step) => step.type !== 'response' && step.from === 'client');
  const payload = payloads[place.part === 'message' ? place.number - 1 : 0];
  return payload?.type === 'response' || payload?.content.kind !== 'json'
    ? undefined
    : below(payload.content.json, path);
}

/** The node at a path, which leads through JSON in strings too. */
function below(node: JsonNode, path: readonly PathKey[]): JsonNode | undefined {
  let at: JsonNode | undefined = node;
  for (const key of path) {
    if (at?.kind === 'string') at = tryParseJson(at.value)?.node;
    at = typeof key === 'string' ? member(at, key) : at?.kind === 'array' ? at.items[key] : undefined;
  }
  return at?.kind === 'number' ? jsonString(at.text) : at;
}
