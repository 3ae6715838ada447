import type { JsonMember, JsonNode } from '../../wire/json.ts';

/** How many values a matcher counts when it compares a tree with an equal one, in the ways of Matcher. */
export type EqualCost = {
  readonly likeness: number;
  readonly match: number;
  /** Whether the tree may match other trees too, if it is a pattern. */
  readonly isTemplate: boolean;
};

/** The costs of lists and objects; null for those that have a key twice. */
const known = new WeakMap<JsonNode, EqualCost | null>();

/** The cost of comparing a tree with an equal one; undefined for a tree that has a key twice. */
export function costOfEqual(node: JsonNode): EqualCost | undefined {
  if (node.kind === 'string')
    return { likeness: costOf(2 * node.value.length), match: 0, isTemplate: node.value.includes('{{') };
  if (node.kind !== 'array' && node.kind !== 'object')
    return { likeness: costOf(0), match: 0, isTemplate: false };
  let cost = known.get(node);
  if (cost === undefined) {
    cost = sumOf(node) ?? null;
    known.set(node, cost);
  }
  return cost ?? undefined;
}

function sumOf(node: Extract<JsonNode, { kind: 'array' | 'object' }>): EqualCost | undefined {
  const isArray = node.kind === 'array';
  if (!isArray && !areDistinct(node.members)) return undefined;
  let [likeness, match] = [costOf(0), 0];
  let isTemplate = !isArray && node.members.some(([key]) => key.startsWith('{{'));
  for (const part of isArray ? node.items : node.members) {
    const cost = costOfEqual('kind' in part ? part : part[1]);
    if (cost === undefined) return undefined;
    likeness += cost.likeness;
    // Items are aligned by their likeness before they are matched.
    match += cost.match + (isArray ? cost.likeness : 0);
    isTemplate ||= cost.isTemplate;
  }
  return { likeness, match, isTemplate };
}

/** How many values a comparison of so many characters counts as. */
export function costOf(characters: number): number {
  return 1 + characters / 16;
}

/** Whether no key is there twice. Comparing few keys with each other takes less time than a set of them. */
export function areDistinct(members: readonly JsonMember[]): boolean {
  if (members.length > 16) return new Set(members.map(([key]) => key)).size === members.length;
  for (let index = 1; index < members.length; index += 1)
    for (let other = 0; other < index; other += 1)
      if (members[index]?.[0] === members[other]?.[0]) return false;
  return true;
}
