import deepDiff from 'deep-diff';
import { align, likenessOfForm, outOfOrder } from '../golden/match/align.ts';
import {
  contrast,
  differenceOf,
  type Mismatch,
  type MismatchKind,
  type Place,
} from '../golden/match/mismatch.ts';
import {
  type JsonMember,
  type JsonNode,
  type JsonObject,
  jsonString,
  printJson,
  sameJson,
} from '../wire/json.ts';

/**
 * How two JSON documents differ: arrays are aligned by content, keys compared in order, leaves by deep-diff. Unlike
 * unify, both sides are plain values: braces in them mean nothing.
 */
export function structuralDiff(expected: JsonNode, actual: JsonNode, place: Place): Mismatch[] {
  if (sameJson(expected, actual)) return [];
  if (expected.kind === 'array' && actual.kind === 'array')
    return arrayDiff(expected.items, actual.items, place);
  if (expected.kind === 'object' && actual.kind === 'object') return objectDiff(expected, actual, place);
  return [mismatch(differenceOf(expected, actual), place, expected, actual)];
}

function arrayDiff(expected: readonly JsonNode[], actual: readonly JsonNode[], place: Place): Mismatch[] {
  const at = (list: readonly JsonNode[], index: number): JsonNode => list[index] ?? jsonString('');
  const item = (index: number): Place => ({ ...place, path: [...place.path, String(index)] });
  const { pairs, missing, added } = align(expected.length, actual.length, (one, other) =>
    Math.max(
      likeness(at(expected, one), at(actual, other)),
      likenessOfForm(at(expected, one), at(actual, other)),
    ),
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
  const leaves = (members: ReadonlyMap<string, NamedValue>) =>
    Object.fromEntries(
      [...members].map(([key, { value }]) => [key, isComposite(value) ? value.kind : printJson(value)]),
    );
  for (const change of deepDiff.diff(leaves(wanted), leaves(found)) ?? []) {
    const key = String(change.path?.[0]);
    const [one, other] = [wanted.get(key), found.get(key)];
    const kind =
      one === undefined ? 'added' : other === undefined ? 'missing' : differenceOf(one.value, other.value);
    mismatches.push(mismatch(kind, at(key), one?.value ?? null, other?.value ?? null));
  }
  const common = [...found.keys()].filter((key) => wanted.has(key));
  for (const key of common) {
    const [one, other] = [wanted.get(key), found.get(key)];
    if (one === undefined || other === undefined) continue;
    if (isComposite(one.value) && one.value.kind === other.value.kind) {
      mismatches.push(...structuralDiff(one.value, other.value, at(key)));
    }
    if (one.spelling !== other.spelling) {
      const text = ({ spelling }: NamedValue) => `key ${spelling ?? JSON.stringify(key)}`;
      mismatches.push({ kind: 'respelled', places: [at(key)], expected: text(one), actual: text(other) });
    }
  }
  const ranks = [...wanted.keys()];
  for (const index of outOfOrder(common.map((key) => ranks.indexOf(key)))) {
    const key = common[index] ?? '';
    mismatches.push({
      kind: 'moved',
      places: [at(key)],
      expected: neighbour(ranks, key),
      actual: neighbour([...found.keys()], key),
    });
  }
  return mismatches;
}

function neighbour(keys: readonly string[], key: string): string {
  const before = keys[keys.indexOf(key) - 1];
  return before === undefined ? 'first' : `after ${before}`;
}

/** How alike two documents are, from 0 to 1: the share of members that are equal, two levels deep. */
function likeness(one: JsonNode, other: JsonNode, depth = 2): number {
  if (sameJson(one, other)) return 1;
  if (one.kind === 'array' && other.kind === 'array' && depth > 0) {
    const items = one.items.map((item, at) => {
      const counterpart = other.items[at];
      return counterpart === undefined ? 0 : likeness(item, counterpart, depth - 1);
    });
    return Math.min(0.99, sum(items) / Math.max(one.items.length, other.items.length));
  }
  if (one.kind !== 'object' || other.kind !== 'object') return one.kind === other.kind ? 0.1 : 0;
  const [wanted, found] = [distinct(one.members), distinct(other.members)];
  const keys = new Set([...wanted.keys(), ...found.keys()]);
  const shares = [...keys].map((key) => {
    const [mine, theirs] = [wanted.get(key)?.value, found.get(key)?.value];
    if (mine === undefined || theirs === undefined) return 0;
    return depth > 0 ? likeness(mine, theirs, depth - 1) : Number(sameJson(mine, theirs));
  });
  return Math.min(0.99, sum(shares) / keys.size);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

type NamedValue = { readonly value: JsonNode; readonly spelling: string | undefined };

/** Members by key; a key that is repeated gets its number, so that a duplicate is a member of its own. */
function distinct(members: readonly JsonMember[]): Map<string, NamedValue> {
  const map = new Map<string, NamedValue>();
  for (const [key, value, spelling] of members) {
    let name = key;
    for (let count = 2; map.has(name); count += 1) name = `${key} (${count})`;
    map.set(name, { value, spelling });
  }
  return map;
}

function isComposite(node: JsonNode): boolean {
  return node.kind === 'array' || node.kind === 'object';
}

function mismatch(
  kind: MismatchKind,
  place: Place,
  expected: JsonNode | null,
  actual: JsonNode | null,
): Mismatch {
  return { kind, places: [place], ...contrast(expected, actual) };
}
