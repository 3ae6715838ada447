import { jsonMark, unescapeKey, unorderedMark } from '../golden/golden.ts';
import type { PathKey } from '../golden/match/mismatch.ts';
import { type JsonMember, type JsonNode, member, printJson, tryParseJson } from '../wire/json.ts';
import type { Variables } from './pattern-text.ts';

/** A line of two JSON texts side by side, one member, item or bracket each. */
export type AlignedLine = {
  readonly depth: number;
  readonly left?: LineText;
  readonly right?: LineText;
  readonly state: LineState;
  /** Where its name is among the names of each side, if that is another order; counted from 1. */
  readonly moved?: readonly [left: number, right: number];
};

export type LineState = 'same' | 'changed' | 'left only' | 'right only';

export type LineText = {
  /** The name of a header or member. */
  readonly name?: string;
  /** JSON text, a bracket, or the value of a header. */
  readonly text: string;
  readonly path: readonly PathKey[];
};

/** How the two sides are compared. The left one may be a pattern. */
export type LineContext = { readonly pattern: boolean; readonly variables: Variables };

/** Objects and lists whose text is at most this long stay on one line. */
const longestLine = 96;

/** The lines of two values; undefined where a side has none. */
export function alignedLines(
  left: JsonNode | undefined,
  right: JsonNode | undefined,
  context: LineContext,
): AlignedLine[] {
  return new LineWriter(context).value({ left, right }, { left: [], right: [] }, 0, {});
}

/** The lines of two lists of headers. */
export function alignedHeaders(
  left: readonly JsonMember[],
  right: readonly JsonMember[],
  context: LineContext,
): AlignedLine[] {
  return new LineWriter(context).members(left, right, { left: [], right: [] }, 0);
}

type Sides<T> = { readonly left: T; readonly right: T };
type Names = { readonly left?: string; readonly right?: string };

class LineWriter {
  readonly #context: LineContext;

  constructor(context: LineContext) {
    this.#context = context;
  }

  value(
    nodes: Sides<JsonNode | undefined>,
    paths: Sides<readonly PathKey[]>,
    depth: number,
    names: Names,
  ): AlignedLine[] {
    const { left, right } = this.#unwrapped(nodes);
    const one = left ?? right;
    if (one === undefined) return [];
    const text = (side: 'left' | 'right', value: string): LineText => ({
      ...(names[side] === undefined ? {} : { name: names[side] }),
      text: value,
      path: paths[side],
    });
    const sided = left === undefined ? 'right only' : right === undefined ? 'left only' : undefined;
    const both = (a: string, b: string, own: LineState): AlignedLine => ({
      depth,
      ...(left === undefined ? {} : { left: text('left', a) }),
      ...(right === undefined ? {} : { right: text('right', b) }),
      state: sided ?? own,
    });
    const bare = (node: JsonNode | undefined) => (node === undefined ? '' : printJson(plain(node)));
    const isRenamed = left !== undefined && right !== undefined && names.left !== names.right;
    const same = sided === undefined && left !== undefined && right !== undefined && this.same(left, right);
    const isList = one.kind === 'array' || one.kind === 'object';
    const isAlike = left === undefined || right === undefined || left.kind === right.kind;
    const fits = Math.max(bare(left).length, bare(right).length) <= longestLine;
    if (!isList || !isAlike || (fits && (same || sided !== undefined)))
      return [both(bare(left), bare(right), same && !isRenamed ? 'same' : 'changed')];
    const [open, close] = one.kind === 'array' ? ['[', ']'] : ['{', '}'];
    const own: LineState = isRenamed ? 'changed' : 'same';
    const inner =
      one.kind === 'array'
        ? this.#items(itemsIn(left), itemsIn(right), paths, depth + 1)
        : this.members(membersIn(left), membersIn(right), paths, depth + 1, isUnordered(left));
    return [
      both(open, open, own),
      ...inner,
      { ...both(close, close, 'same'), ...unnamed(both(close, close, 'same')) },
    ];
  }

  members(
    left: readonly JsonMember[],
    right: readonly JsonMember[],
    paths: Sides<readonly PathKey[]>,
    depth: number,
    unordered = false,
  ): AlignedLine[] {
    const [before, after] = [left.map(([name]) => normal(name)), right.map(([name]) => normal(name))];
    const pairs = pairsByName(before, after);
    const inOrder = new Set(
      unordered
        ? pairs.map(([a]) => a)
        : commonPairs(before.length, after.length, (a, b) => before[a] === after[b]).map(([a]) => a),
    );
    return merged(left.length, right.length, pairs).flatMap(([a, b]): AlignedLine[] => {
      const [one, other] = [a === undefined ? undefined : left[a], b === undefined ? undefined : right[b]];
      const name = one === undefined ? undefined : unescapeKey(one[0]);
      const [first, ...rest] = this.value(
        { left: one?.[1], right: other?.[1] },
        {
          left: [...paths.left, name ?? other?.[0] ?? ''],
          right: [...paths.right, other?.[0] ?? name ?? ''],
        },
        depth,
        {
          ...(name === undefined ? {} : { left: name }),
          ...(other === undefined ? {} : { right: other[0] }),
        },
      );
      if (first === undefined) return [];
      const isMoved = a !== undefined && b !== undefined && !inOrder.has(a);
      return [isMoved ? { ...first, moved: [a + 1, b + 1] } : first, ...rest];
    });
  }

  #items(
    left: readonly JsonNode[],
    right: readonly JsonNode[],
    paths: Sides<readonly PathKey[]>,
    depth: number,
  ): AlignedLine[] {
    const pairs = pairItems(left.length, right.length, (a, b) => {
      const [before, after] = [left[a], right[b]];
      return before !== undefined && after !== undefined && this.same(before, after);
    });
    return merged(left.length, right.length, pairs).flatMap(([a, b]) =>
      this.value(
        { left: a === undefined ? undefined : left[a], right: b === undefined ? undefined : right[b] },
        { left: [...paths.left, a ?? b ?? 0], right: [...paths.right, b ?? a ?? 0] },
        depth,
        {},
      ),
    );
  }

  /** Whether two values are the same, with the values that the variables have. */
  same(left: JsonNode, right: JsonNode): boolean {
    const { pattern, variables } = this.#context;
    if (!pattern) return printJson(left) === printJson(right);
    if (left.kind === 'string') {
      if (right.kind === 'string') return variables.matches(left.value, right.value);
      return (
        right.kind === 'number' && left.value.startsWith('{{') && variables.matches(left.value, right.text)
      );
    }
    const json = member(left, jsonMark);
    if (json !== undefined) {
      const parsed = right.kind === 'string' ? tryParseJson(right.value)?.node : undefined;
      return parsed !== undefined && this.same(json, parsed);
    }
    if (left.kind === 'array' && right.kind === 'array')
      return (
        left.items.length === right.items.length &&
        left.items.every((item, at) => this.#sameAt(item, right.items[at]))
      );
    if (left.kind !== 'object' || right.kind !== 'object') return printJson(left) === printJson(right);
    const [before, after] = [membersIn(left), right.members];
    if (before.length !== after.length) return false;
    if (!isUnordered(left))
      return before.every(
        ([key, value], at) => unescapeKey(key) === after[at]?.[0] && this.#sameAt(value, after[at]?.[1]),
      );
    return before.every(([key, value]) => this.#sameAt(value, member(right, unescapeKey(key))));
  }

  #sameAt(left: JsonNode, right: JsonNode | undefined): boolean {
    return right !== undefined && this.same(left, right);
  }

  /** Documents in strings are shown as documents where both sides have one. */
  #unwrapped({ left, right }: Sides<JsonNode | undefined>): Sides<JsonNode | undefined> {
    const pattern = left === undefined ? undefined : member(left, jsonMark);
    if (pattern !== undefined) {
      if (right === undefined) return { left: pattern, right };
      const document = documentIn(right);
      return document === undefined ? { left, right } : { left: pattern, right: document };
    }
    const [a, b] = [documentIn(left), documentIn(right)];
    const isPlain = (left === undefined || a !== undefined) && (right === undefined || b !== undefined);
    return isPlain && (a !== undefined || b !== undefined) ? { left: a, right: b } : { left, right };
  }
}

/** The object or list in a string. */
function documentIn(node: JsonNode | undefined): JsonNode | undefined {
  if (node?.kind !== 'string' || !/^[[{]/.test(node.value)) return undefined;
  return tryParseJson(node.value)?.node;
}

function unnamed({ left, right }: AlignedLine): Pick<AlignedLine, 'left' | 'right'> {
  const strip = ({ text, path }: LineText): LineText => ({ text, path });
  return {
    ...(left === undefined ? {} : { left: strip(left) }),
    ...(right === undefined ? {} : { right: strip(right) }),
  };
}

function normal(name: string): string {
  return unescapeKey(name).toLowerCase().replaceAll('_', '-');
}

function plain(node: JsonNode): JsonNode {
  return node.kind === 'object' ? { kind: 'object', members: membersIn(node) } : node;
}

function isUnordered(node: JsonNode | undefined): boolean {
  return node?.kind === 'object' && node.members[0]?.[0] === unorderedMark;
}

function itemsIn(node: JsonNode | undefined): readonly JsonNode[] {
  return node?.kind === 'array' ? node.items : [];
}

function membersIn(node: JsonNode | undefined): readonly JsonMember[] {
  return node?.kind === 'object' ? node.members.filter(([key]) => key !== unorderedMark) : [];
}

type IndexPair = readonly [left: number, right: number];

/**
 * The indices of two lists in the order of the left one. What only the right one has comes after what precedes it there,
 * and after what only the left one has.
 */
function merged(
  left: number,
  right: number,
  pairs: readonly IndexPair[],
): (readonly [left: number | undefined, right: number | undefined])[] {
  const partner = new Map(pairs);
  const taken = new Map(pairs.map(([a, b]) => [b, a]));
  /** By left index: the right indices that follow it; those at the start have -1. */
  const following = new Map<number, number[]>();
  let previous = -1;
  for (let b = 0; b < right; b += 1) {
    const a = taken.get(b);
    if (a !== undefined) previous = a;
    else following.set(previous, [...(following.get(previous) ?? []), b]);
  }
  const rows: (readonly [number | undefined, number | undefined])[] = [];
  let pending = following.get(-1) ?? [];
  const flush = () => {
    for (const b of pending) rows.push([undefined, b]);
    pending = [];
  };
  for (let a = 0; a < left; a += 1) {
    const b = partner.get(a);
    if (b !== undefined) flush();
    rows.push([a, b]);
    pending = [...pending, ...(following.get(a) ?? [])];
  }
  flush();
  return rows;
}

/** More pairs than this are not compared one by one. */
const mostCells = 250_000;

/** Pairs equal names: the nth of one side with the nth of the other. */
function pairsByName(left: readonly string[], right: readonly string[]): IndexPair[] {
  const indices = new Map<string, number[]>();
  for (const [index, name] of right.entries()) indices.set(name, [...(indices.get(name) ?? []), index]);
  return left.flatMap((name, a): IndexPair[] => {
    const b = indices.get(name)?.shift();
    return b === undefined ? [] : [[a, b]];
  });
}

/** Pairs equal items, then those between them by position. */
function pairItems(left: number, right: number, isSame: (a: number, b: number) => boolean): IndexPair[] {
  const anchors: IndexPair[] = [...commonPairs(left, right, isSame), [left, right]];
  let [a, b] = [0, 0];
  return anchors.flatMap(([nextA, nextB]): IndexPair[] => {
    const between = Array.from(
      { length: Math.min(nextA - a, nextB - b) },
      (_, at): IndexPair => [a + at, b + at],
    );
    [a, b] = [nextA + 1, nextB + 1];
    return nextA < left ? [...between, [nextA, nextB]] : between;
  });
}

/** The longest common subsequence of two lists. */
function commonPairs(left: number, right: number, isSame: (a: number, b: number) => boolean): IndexPair[] {
  let head = 0;
  while (head < Math.min(left, right) && isSame(head, head)) head += 1;
  let tail = 0;
  while (tail < Math.min(left, right) - head && isSame(left - 1 - tail, right - 1 - tail)) tail += 1;
  const [rows, columns] = [left - head - tail, right - head - tail];
  const pairs: IndexPair[] = Array.from({ length: head }, (_, at): IndexPair => [at, at]);
  if (rows * columns <= mostCells) {
    const width = columns + 1;
    const best = new Uint32Array((rows + 1) * width);
    const equal = new Uint8Array(rows * columns);
    for (let a = rows - 1; a >= 0; a -= 1) {
      for (let b = columns - 1; b >= 0; b -= 1) {
        const same = isSame(head + a, head + b);
        equal[a * columns + b] = same ? 1 : 0;
        best[a * width + b] = same
          ? (best[(a + 1) * width + b + 1] ?? 0) + 1
          : Math.max(best[(a + 1) * width + b] ?? 0, best[a * width + b + 1] ?? 0);
      }
    }
    for (let a = 0, b = 0; a < rows && b < columns; ) {
      if (equal[a * columns + b] === 1) pairs.push([head + a++, head + b++]);
      else if ((best[(a + 1) * width + b] ?? 0) >= (best[a * width + b + 1] ?? 0)) a += 1;
      else b += 1;
    }
  }
  for (let at = tail; at > 0; at -= 1) pairs.push([left - at, right - at]);
  return pairs;
}
