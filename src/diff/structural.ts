import deepDiff from 'deep-diff';
import { align, outOfOrder } from '../golden/align.ts';
import { brief, type Mismatch, type MismatchKind, type Place } from '../golden/mismatch.ts';
import { type JsonMember, type JsonNode, type JsonObject, jsonString, sameJson } from '../wire/json.ts';

/**
 * How two JSON documents differ: arrays are aligned by content, keys compared in order, leaves by deep-diff. Unlike
 * unify, both sides are plain values: braces in them mean nothing.
 */
export function structuralDiff(expected: JsonNode, actual: JsonNode, place: Place): Mismatch[] {
  if (sameJson(expected, actual)) return [];
  if (expected.kind === 'array' && actual.kind === 'array')
    return arrayDiff(expected.items, actual.items, place);
  if (expected.kind === 'object' && actual.kind === 'object') return objectDiff(expected, actual, place);
  const kind =
    expected.kind === actual.kind ? (sameValue(expected, actual) ? 'respelled' : 'changed') : 'retyped';
  return [mismatch(kind, place, expected, actual)];
}

function arrayDiff(expected: readonly JsonNode[], actual: readonly JsonNode[], place: Place): Mismatch[] {
  const at = (list: readonly JsonNode[], index: number): JsonNode => list[index] ?? jsonString('');
  const item = (index: number): Place => ({ ...place, path: [...place.path, String(index)] });
  const { pairs, missing, added } = align(expected.length, actual.length, (one, other) =>
    likeness(at(expected, one), at(actual, other)),
  );
  const free = [...added];
  const gone = missing.map((one): Mismatch => {
    const elsewhere = free.findIndex((other) => sameJson(at(expected, one), at(actual, other)));
    const [moved] = elsewhere === -1 ? [] : free.splice(elsewhere, 1);
    if (moved === undefined) return mismatch('missing', item(one), at(expected, one), null);
    return { kind: 'moved', places: [item(moved)], expected: `item ${one}`, actual: `item ${moved}` };
  });
  return [
    ...pairs.flatMap(([one, other]) => structuralDiff(at(expected, one), at(actual, other), item(other))),
    ...gone,
    ...free.map((other) => mismatch('added', item(other), null, at(actual, other))),
  ];
}

function objectDiff(expected: JsonObject, actual: JsonObject, place: Place): Mismatch[] {
  const [wanted, found] = [distinct(expected.members), distinct(actual.members)];
  const at = (key: string): Place => ({ ...place, path: [...place.path, key] });
  const mismatches: Mismatch[] = [];
  // Leaves go to deep-diff as their spelled text, so that it sees a changed spelling too; composites are met here.
  const leaves = (members: ReadonlyMap<string, JsonNode>) =>
    Object.fromEntries(
      [...members].map(([key, node]) => [key, isComposite(node) ? node.kind : brief(node, Infinity)]),
    );
  for (const change of deepDiff.diff(leaves(wanted), leaves(found)) ?? []) {
    const key = String(change.path?.[0]);
    const [one, other] = [wanted.get(key), found.get(key)];
    if (one !== undefined && other !== undefined) mismatches.push(...structuralLeaf(one, other, at(key)));
    else
      mismatches.push(mismatch(one === undefined ? 'added' : 'missing', at(key), one ?? null, other ?? null));
  }
  const common = [...found.keys()].filter((key) => wanted.has(key));
  for (const key of common) {
    const [one, other] = [wanted.get(key), found.get(key)];
    if (one !== undefined && other !== undefined && isComposite(one) && one.kind === other.kind) {
      mismatches.push(...structuralDiff(one, other, at(key)));
    }
  }
  const ranks = [...wanted.keys()];
  for (const index of outOfOrder(common.map((key) => ranks.indexOf(key)))) {
    const key = common[index] ?? '';
    mismatches.push({
      kind: 'moved',
      places: [at(key)],
      expected: `key ${ranks.indexOf(key) + 1}`,
      actual: `key ${index + 1}`,
    });
  }
  return mismatches;
}

function structuralLeaf(one: JsonNode, other: JsonNode, place: Place): Mismatch[] {
  const kind = one.kind === other.kind ? (sameValue(one, other) ? 'respelled' : 'changed') : 'retyped';
  return [mismatch(kind, place, one, other)];
}

/** How alike two documents are, from 0 to 1: the share of members that are equal, two levels deep. */
function likeness(one: JsonNode, other: JsonNode, depth = 2): number {
  if (sameJson(one, other)) return 1;
  if (one.kind !== 'object' || other.kind !== 'object') return one.kind === other.kind ? 0.1 : 0;
  const [wanted, found] = [distinct(one.members), distinct(other.members)];
  const keys = new Set([...wanted.keys(), ...found.keys()]);
  let sum = 0;
  for (const key of keys) {
    const [mine, theirs] = [wanted.get(key), found.get(key)];
    if (mine === undefined || theirs === undefined) continue;
    sum += depth > 0 ? likeness(mine, theirs, depth - 1) : Number(sameJson(mine, theirs));
  }
  return Math.min(0.99, sum / keys.size);
}

/** Members by key; a key that is repeated gets its number, so that a duplicate is a member of its own. */
function distinct(members: readonly JsonMember[]): Map<string, JsonNode> {
  const map = new Map<string, JsonNode>();
  for (const [key, value] of members) {
    let name = key;
    for (let count = 2; map.has(name); count += 1) name = `${key} (${count})`;
    map.set(name, value);
  }
  return map;
}

function isComposite(node: JsonNode): boolean {
  return node.kind === 'array' || node.kind === 'object';
}

function sameValue(one: JsonNode, other: JsonNode): boolean {
  if (one.kind === 'number' && other.kind === 'number') return Number(one.text) === Number(other.text);
  return one.kind === 'string' && other.kind === 'string' && one.value === other.value;
}

function mismatch(
  kind: MismatchKind,
  place: Place,
  expected: JsonNode | null,
  actual: JsonNode | null,
): Mismatch {
  const text = (node: JsonNode | null) => (node === null ? null : brief(node));
  return { kind, places: [place], expected: text(expected), actual: text(actual) };
}
