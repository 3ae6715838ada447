import type { Golden } from '../golden/golden.ts';
import { lastName, type Mismatch } from '../golden/match/mismatch.ts';
import type { Exchange, Step } from '../golden/trace/exchanges.ts';
import {
  filterMembers,
  type JsonMember,
  type JsonNode,
  type JsonObject,
  jsonMember,
  jsonString,
  mapChildren,
  member,
} from '../wire/json.ts';

/** The API that a client uses. */
export type Surface = 'responses' | 'chat';

/**
 * The members with content: the client's own text, which differs from the official client's. Their places are compared,
 * and whether their lists are empty, but not their values. Everything else is the envelope.
 */
export const content: ReadonlySet<string> = new Set(['input', 'instructions', 'tools', 'text']);

/** Members that requests of a surface cannot have, as paths in the body. They are not expected. */
const impossible: Readonly<Record<Surface, readonly (readonly [key: string, inner?: string])[]>> = {
  responses: [],
  chat: [['instructions'], ['include'], ['reasoning', 'context'], ['reasoning', 'summary']],
};

/**
 * The members in which the official client's front ends differ (measured: codex 0.169.0, and for `thread_source`
 * 0.130.0: `codex exec` and `codex app-server`). A program is none of them.
 */
export const frontEnd: ReadonlySet<string> = new Set([
  'user-agent',
  'originator',
  'turn_trigger',
  'thread_source',
]);

/**
 * Whether a mismatch comes only from a golden that was recorded with another front end than `codex exec`, as goldens of
 * several turns are. Goldens of `codex exec` decide which front end a subject must show for a program.
 */
export function isOfFrontEnd({ exchanges }: Golden, { places }: Mismatch): boolean {
  const originator = exchanges[0]?.request.headers.find(([name]) => name === 'originator')?.[1];
  if (originator?.kind !== 'string' || originator.value === 'codex_exec') return false;
  return places.every(({ path }) => frontEnd.has(lastName(path)));
}

/** The golden without content. `surface` is a program's; the official client has none. */
export function envelopeOf(golden: Golden, surface?: Surface): Golden {
  // A variable that the golden does not declare matches any text.
  return { ...golden, exchanges: envelopesOf(golden.exchanges, surface, '{{content}}') };
}

/** The traffic upstream, without content. */
export function envelopesOf(
  exchanges: readonly Exchange[],
  surface?: Surface,
  mark = 'content',
): readonly Exchange[] {
  let turns = 0;
  return exchanges.map((exchange) => ({
    ...exchange,
    steps: exchange.steps.map((step): Step => {
      if (step.type === 'response' || step.from !== 'client' || step.content.kind !== 'json') return step;
      const { json } = step.content;
      if (json.kind !== 'object' || member(json, 'model') === undefined) return step;
      const prewarms = member(json, 'generate') !== undefined;
      if (!prewarms) turns += 1;
      const own = surface === undefined ? json : programEnvelope(json, surface, turns);
      return { ...step, content: { ...step.content, json: marked(own, mark) } };
    }),
  }));
}

/**
 * A request that repeats the whole conversation does not continue a response. All requests of the chat API do, except
 * the first, which continues the prewarm.
 */
function repeated(surface: Surface, turns: number): readonly (readonly [string])[] {
  return surface === 'chat' && turns > 1 ? [['previous_response_id']] : [];
}

function programEnvelope(request: JsonObject, surface: Surface, turns: number): JsonObject {
  const left = without(request, [...impossible[surface], ...repeated(surface, turns)]);
  return withoutEmptyInstructions(left);
}

/**
 * A request without empty instructions. The backend refuses a model that is not lite without instructions (reported by
 * its users), so a subject may add empty ones for a program. They are not text.
 */
export function withoutEmptyInstructions(request: JsonObject): JsonObject {
  return filterMembers(request, (key, value) => key !== 'instructions' || !isEmptyText(value));
}

function isEmptyText(node: JsonNode): boolean {
  return node.kind === 'string' && node.value === '';
}

function without(node: JsonObject, paths: readonly (readonly [key: string, inner?: string])[]): JsonObject {
  const members = node.members.flatMap(([key, value, spelling]): JsonMember[] => {
    const found = paths.filter(([first]) => first === key);
    if (found.length === 0) return [jsonMember(key, value, spelling)];
    if (value.kind !== 'object' || found.some(([, inner]) => inner === undefined)) return [];
    const left = value.members.filter(([name]) => found.every(([, inner]) => inner !== name));
    return left.length === 0 ? [] : [jsonMember(key, { kind: 'object', members: left }, spelling)];
  });
  return { kind: 'object', members };
}

function marked(node: JsonObject, mark: string): JsonNode {
  return mapChildren(node, (value, key = '') =>
    content.has(key) ? jsonString(isEmpty(value) ? 'an empty list' : mark) : value,
  );
}

function isEmpty(node: JsonNode): boolean {
  return node.kind === 'array' && node.items.length === 0;
}
