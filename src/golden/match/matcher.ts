import { escapeStyle, inStyle, sameEscapes } from '../../trace/escapes.ts';
import {
  type JsonMember,
  type JsonNode,
  type JsonObject,
  type JsonString,
  jsonMember,
  jsonString,
  member,
  printJson,
  sameJson,
  tryParseJson,
} from '../../wire/json.ts';
import { jsonMark, unescapeKey, unorderedMark, type Variable } from '../golden.ts';
import { compileTemplate } from '../pattern/compile-template.ts';
import { fitsHostText } from '../pattern/host-text.ts';
import { kinds } from '../pattern/kinds.ts';
import { parseTemplate, soleVariable, type TemplatePart } from '../pattern/template.ts';
import { align, likenessOfForm, maximumCells } from './align.ts';
import { differenceOf, respelled } from './difference.ts';
import {
  type Difference,
  jsonValue,
  type Mismatch,
  type NameOrder,
  type PathKey,
  type Place,
} from './mismatch.ts';
import { matchNames, type NameMatch, type NamePair } from './names.ts';

/** Receives mismatches, and the values in the places of variables. */
export type MatchListener = {
  readonly mismatch: (mismatch: Mismatch) => void;
  readonly occurrence: (variable: string, value: string, place: Place) => void;
};

/**
 * How many values a matcher compares to find out which items of lists, and which renamed members, belong together; a long
 * text counts as several. After that, only their positions and names decide. All of a real trace takes far less.
 */
const maximumComparisons = 2_000_000;

/**
 * Matches patterns of one golden with values of a trace. Without variables, both sides are plain values and braces have
 * no meaning.
 */
export class Matcher {
  readonly #variables: ReadonlyMap<string, Variable> | undefined;
  readonly #listener: MatchListener;
  readonly #comparisons: { left: number };

  constructor(
    variables: ReadonlyMap<string, Variable> | undefined,
    listener: MatchListener,
    comparisons = { left: maximumComparisons },
  ) {
    this.#variables = variables;
    this.#listener = listener;
    this.#comparisons = comparisons;
  }

  /** Matches headers, or the members of an object. Order, capitalisation and duplicates count. */
  fields(expected: readonly JsonMember[], actual: readonly JsonMember[], place: Place, ordered = true): void {
    if (haveSameNames(expected, actual)) {
      for (const [index, [name, before]] of expected.entries()) {
        const after = actual[index]?.[1] ?? before;
        if (!this.#isPlain(before, after))
          this.node(before, after, { ...place, path: [...place.path, name] });
      }
      return;
    }
    const names = matchNames(
      expected.map(([name]) => name),
      actual.map(([name]) => name),
      (a, b) => this.#matchesSpecifically(expected[a]?.[1], actual[b]?.[1]),
    );
    this.#names(names, expected, actual, place, ordered);
  }

  node(expected: JsonNode, actual: JsonNode, place: Place): void {
    if (
      expected.kind === 'object' &&
      this.#variables !== undefined &&
      member(expected, jsonMark) !== undefined
    ) {
      this.#json(expected, actual, place);
    } else if (expected.kind === 'string') {
      this.#string(expected, actual, place);
    } else if (expected.kind === 'object' && actual.kind === 'object') {
      this.#object(expected, actual, place);
    } else if (expected.kind === 'array' && actual.kind === 'array') {
      this.#items(expected.items, actual.items, place);
    } else if (expected.kind !== actual.kind || printJson(expected) !== printJson(actual)) {
      this.#report(differenceOf(expected, actual), place);
    }
  }

  /** The likeness of a pattern and a node, from 0 to 1. Variables match any value of their kind. */
  likeness(expected: JsonNode, actual: JsonNode): number {
    const length = (node: JsonNode) => (node.kind === 'string' ? node.value.length : 0);
    if (!this.#spend(length(expected) + length(actual))) return 0;
    if (expected.kind === 'object' && actual.kind === 'object') {
      const members = this.#members(expected);
      let sum = 0;
      if (haveSameKeys(members, actual.members)) {
        for (const [index, [, value]] of members.entries())
          sum += this.likeness(value, actual.members[index]?.[1] ?? value);
        return mean(sum, members.length);
      }
      const [before, after] = [firstMembers(members), firstMembers(actual.members)];
      let both = 0;
      for (const [key, value] of before) {
        const other = after.get(key);
        if (other === undefined) continue;
        both += 1;
        sum += this.likeness(value, other);
      }
      return mean(sum, before.size + after.size - both);
    }
    if (expected.kind === 'array' && actual.kind === 'array') {
      let sum = 0;
      for (const [index, item] of expected.items.entries()) {
        const other = actual.items[index];
        if (other === undefined) break;
        sum += this.likeness(item, other);
      }
      return mean(sum, Math.max(expected.items.length, actual.items.length));
    }
    return this.#matches(expected, actual) ? 1 : 0;
  }

  /** Counts a comparison of so many characters. Returns whether it may be made. */
  #spend(characters: number): boolean {
    this.#comparisons.left -= 1 + characters / 16;
    return this.#comparisons.left >= 0;
  }

  #matches(expected: JsonNode, actual: JsonNode): boolean {
    if (expected.kind === 'number' || expected.kind === 'literal') return sameJson(expected, actual);
    if (expected.kind === 'string' && actual.kind === 'string' && !this.#isTemplate(expected.value))
      return expected.value === actual.value && sameEscapes(expected, actual);
    let matches = true;
    const listener: MatchListener = {
      mismatch: () => {
        matches = false;
      },
      occurrence: (name, value) => {
        const kind = this.#variables?.get(name)?.kind;
        if (kind !== undefined && !kinds[kind].accepts(value)) matches = false;
      },
    };
    const silent = new Matcher(this.#variables, listener, this.#comparisons);
    silent.node(expected, actual, { exchange: 0, side: 'client', part: 'exchange', path: [] });
    return matches;
  }

  /** Short values such as `true`, `0` or `"auto"` match by accident too often to identify a renamed member. */
  #matchesSpecifically(expected: JsonNode | undefined, actual: JsonNode | undefined): boolean {
    if (expected === undefined || actual === undefined || !this.#spend(0)) return false;
    const { length } = printJson(actual);
    return (
      length >= 10 && this.#spend(printJson(expected).length + length) && this.#matches(expected, actual)
    );
  }

  #json(pattern: JsonObject, actual: JsonNode, place: Place): void {
    const inner = member(pattern, jsonMark);
    const parsed = actual.kind === 'string' ? tryParseJson(actual.value) : undefined;
    if (inner === undefined || parsed === undefined) {
      this.#report({ kind: 'retyped', expected: jsonValue(pattern), actual: jsonValue(actual) }, place);
      return;
    }
    if (!parsed.compact) {
      this.#report({ kind: 'respelled', spelling: 'white space', expected: false, actual: true }, place);
    }
    if (actual.kind === 'string' && actual.spelling !== undefined)
      this.#report(respelled(jsonString(actual.value), actual), place);
    this.node(inner, parsed.node, place);
  }

  #string(expected: JsonString, actual: JsonNode, place: Place): void {
    const sole = this.#isTemplate(expected.value) ? soleVariable(expected.value) : undefined;
    const values = actual.kind === 'string' ? this.#split(expected.value, actual.value) : undefined;
    if (sole !== undefined && this.#variables?.get(sole)?.number === true) {
      if (actual.kind === 'number') this.#listener.occurrence(sole, actual.text, place);
      else this.#report({ kind: 'retyped', expected: jsonValue(expected), actual: jsonValue(actual) }, place);
      return;
    }
    if (values === undefined) {
      const kind = actual.kind === 'string' ? 'changed' : 'retyped';
      this.#report({ kind, expected: jsonValue(expected), actual: jsonValue(actual) }, place);
      return;
    }
    for (const [name, value] of values) this.#listener.occurrence(name, value, place);
    this.#spelling(expected, actual, place);
  }

  /** Whether both are the same text, number or literal, without variables. */
  #isPlain(expected: JsonNode, actual: JsonNode): boolean {
    if (expected.kind === 'string')
      return (
        actual.kind === 'string' &&
        expected.value === actual.value &&
        expected.spelling === actual.spelling &&
        !this.#isTemplate(expected.value)
      );
    if (expected.kind === 'number') return actual.kind === 'number' && expected.text === actual.text;
    return expected.kind === 'literal' && actual.kind === 'literal' && expected.value === actual.value;
  }

  /** Whether a pattern can match any other text than itself. */
  #isTemplate(pattern: string): boolean {
    return this.#variables !== undefined && pattern.includes('{{');
  }

  /** The values of the variables in a pattern; undefined where the text does not match it. */
  #split(pattern: string, text: string): readonly (readonly [string, string])[] | undefined {
    if (this.#variables === undefined || !this.#isTemplate(pattern)) return pattern === text ? [] : undefined;
    const { parts, valuesIn } = compiled(pattern, this.#variables);
    const values = valuesIn(text);
    return values !== undefined && fitsHostText(parts, values, this.#variables) ? values : undefined;
  }

  /** Reports a string that has the right value but other escapes. */
  #spelling(expected: JsonString, actual: JsonNode, place: Place): void {
    if (actual.kind !== 'string' || sameEscapes(expected, actual)) return;
    this.#report(respelled(inStyle(actual.value, escapeStyle(expected)), actual), place);
  }

  #object(expected: JsonObject, actual: JsonObject, place: Place): void {
    const unordered = this.#variables !== undefined && expected.members[0]?.[0] === unorderedMark;
    this.fields(this.#members(expected), actual.members, place, !unordered);
  }

  /** The members of an object, without the marks of a pattern. */
  #members({ members }: JsonObject): readonly JsonMember[] {
    if (this.#variables === undefined || !members.some(([key]) => key.startsWith('{{'))) return members;
    return members
      .filter(([key]) => key !== unorderedMark)
      .map(([key, value, spelling]) => jsonMember(unescapeKey(key), value, spelling));
  }

  #names(
    match: NameMatch,
    expected: readonly JsonMember[],
    actual: readonly JsonMember[],
    place: Place,
    ordered: boolean,
  ): void {
    const nameless: JsonMember = ['', jsonString('')];
    const before = (index: number) => expected[index] ?? nameless;
    const after = (index: number) => actual[index] ?? nameless;
    const named = (name: PathKey) => ({ ...place, path: [...place.path, name] });
    const paired = match.renamed.length === 0 ? match.pairs : [...match.pairs, ...match.renamed];
    for (const [a, b] of paired) {
      const [expected, actual] = [before(a), after(b)];
      if (!this.#isPlain(expected[1], actual[1])) this.node(expected[1], actual[1], named(expected[0]));
    }
    for (const [a, b] of match.pairs) {
      const [spelling, actualSpelling] = [before(a)[2], after(b)[2]];
      if (spelling === actualSpelling) continue;
      const [name] = before(a);
      if (sameEscapes(jsonString(name, spelling), jsonString(name, actualSpelling))) continue;
      const text = (key = JSON.stringify(name)) => key;
      const [expected, actual] = [text(spelling), text(actualSpelling)];
      this.#report({ kind: 'respelled', spelling: 'key', expected, actual }, named(name));
    }
    for (const [a, b] of match.renamed) {
      const [from, to] = [before(a)[0], after(b)[0]];
      const recased = from.toLowerCase() === to.toLowerCase();
      this.#report(
        recased ? { kind: 'recased', names: [{ from, to }] } : { kind: 'renamed', from, to },
        named(from),
      );
    }
    for (const [name, value] of match.missing.map(before))
      this.#report({ kind: 'missing', expected: jsonValue(value) }, named(name));
    for (const [name, value] of match.added.map(after))
      this.#report({ kind: 'added', actual: jsonValue(value) }, named(name));
    if (!ordered || match.moved.length === 0) return;
    const order = ordersOf(paired, new Set(match.moved), { before, after });
    for (const index of match.moved) this.#report({ kind: 'moved', order }, named(after(index)[0]));
  }

  #items(expected: readonly JsonNode[], actual: readonly JsonNode[], place: Place): void {
    const at = (list: readonly JsonNode[], index: number): JsonNode => list[index] ?? jsonString('');
    const indexed = (index: number) => ({ ...place, path: [...place.path, index] });
    const alignment = align(expected.length, actual.length, (a, b) => {
      const [before, after] = [at(expected, a), at(actual, b)];
      return Math.max(this.likeness(before, after), likenessOfForm(before, after));
    });
    for (const [a, b] of alignment.pairs) this.node(at(expected, a), at(actual, b), indexed(b));
    const added = [...alignment.added];
    const searches = alignment.missing.length * added.length <= maximumCells;
    for (const from of alignment.missing) {
      const isSame = (to: number) => this.likeness(at(expected, from), at(actual, to)) === 1;
      const elsewhere = searches ? added.findIndex(isSame) : -1;
      const [to] = elsewhere === -1 ? [] : added.splice(elsewhere, 1);
      if (to === undefined) {
        this.#report({ kind: 'missing', expected: jsonValue(at(expected, from)) }, indexed(from));
        continue;
      }
      this.node(at(expected, from), at(actual, to), indexed(to));
      this.#report({ kind: 'moved', item: at(actual, to), from, to }, indexed(to));
    }
    for (const to of added) this.#report({ kind: 'added', actual: jsonValue(at(actual, to)) }, indexed(to));
  }

  #report(difference: Difference, place: Place): void {
    this.#listener.mismatch({ ...difference, places: [place] });
  }
}

type Compiled = {
  readonly parts: readonly TemplatePart[];
  readonly valuesIn: ReturnType<typeof compileTemplate>;
};

/** The patterns of each golden that were compiled. */
const known = new WeakMap<ReadonlyMap<string, Variable>, Map<string, Compiled>>();

function compiled(pattern: string, variables: ReadonlyMap<string, Variable>): Compiled {
  const patterns = known.get(variables) ?? new Map<string, Compiled>();
  known.set(variables, patterns);
  const existing = patterns.get(pattern);
  if (existing !== undefined) return existing;
  const parts = parseTemplate(pattern);
  const made = { parts, valuesIn: compileTemplate(parts, variables) };
  patterns.set(pattern, made);
  return made;
}

/** Both orders of the names that moved, each with the nearest name before it that did not move. */
function ordersOf(
  pairs: readonly NamePair[],
  moved: ReadonlySet<number>,
  {
    before,
    after,
  }: { readonly before: (index: number) => JsonMember; readonly after: (index: number) => JsonMember },
): NameOrder {
  const byExpected = pairs.toSorted(([a], [b]) => a - b);
  const byActual = pairs.toSorted(([, a], [, b]) => a - b);
  const shown = new Set<NamePair>();
  for (const list of [byExpected, byActual]) {
    let fixed: NamePair | undefined;
    for (const pair of list) {
      if (!moved.has(pair[1])) fixed = pair;
      else for (const name of fixed === undefined ? [pair] : [fixed, pair]) shown.add(name);
    }
  }
  return {
    moved: byActual.filter(([, b]) => moved.has(b)).map(([, b]) => after(b)[0]),
    expected: byExpected.filter((pair) => shown.has(pair)).map(([a]) => before(a)[0]),
    actual: byActual.filter((pair) => shown.has(pair)).map(([, b]) => after(b)[0]),
  };
}

/** The mean of the likenesses of all pairs; two empty values are alike. */
function mean(sum: number, pairs: number): number {
  return pairs === 0 ? 1 : sum / pairs;
}

/** Whether both have the same names, spelled the same, in the same order. */
function haveSameNames(expected: readonly JsonMember[], actual: readonly JsonMember[]): boolean {
  return (
    expected.length === actual.length &&
    expected.every((member, index) => member[0] === actual[index]?.[0] && member[2] === actual[index]?.[2])
  );
}

/** Whether both have the same keys in the same order, each of them once. */
function haveSameKeys(expected: readonly JsonMember[], actual: readonly JsonMember[]): boolean {
  if (expected.length !== actual.length) return false;
  for (let index = 0; index < expected.length; index += 1)
    if (expected[index]?.[0] !== actual[index]?.[0]) return false;
  return areDistinct(expected);
}

/** Whether no key is there twice. Comparing few keys with each other takes less time than a set of them. */
function areDistinct(members: readonly JsonMember[]): boolean {
  if (members.length > 16) return new Set(members.map(([key]) => key)).size === members.length;
  for (let index = 1; index < members.length; index += 1)
    for (let other = 0; other < index; other += 1)
      if (members[index]?.[0] === members[other]?.[0]) return false;
  return true;
}

/** Members by key; of duplicate keys the first. */
function firstMembers(members: readonly JsonMember[]): ReadonlyMap<string, JsonNode> {
  return new Map(members.toReversed().map(([key, value]) => [key, value]));
}
