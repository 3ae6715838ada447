import {
  type JsonMember,
  type JsonNode,
  type JsonObject,
  type JsonString,
  jsonMember,
  jsonString,
  member,
  printJson,
  tryParseJson,
} from '../../wire/json.ts';
import { jsonMark, unescapeKey, unorderedMark, type Variable } from '../golden.ts';
import { compileTemplate } from '../pattern/compile-template.ts';
import { kinds } from '../pattern/kinds.ts';
import { parseTemplate, soleVariable } from '../pattern/template.ts';
import { align, likenessOfForm } from './align.ts';
import { differenceOf, respelled } from './difference.ts';
import { type Difference, jsonValue, type Mismatch, type PathKey, type Place } from './mismatch.ts';
import { matchNames, type NameMatch } from './names.ts';

/** Receives mismatches, and the values in the places of variables. */
export type MatchListener = {
  readonly mismatch: (mismatch: Mismatch) => void;
  readonly occurrence: (variable: string, value: string, place: Place) => void;
};

/**
 * Matches the patterns of one golden with values of a trace. Without variables both sides are plain values: braces mean
 * nothing.
 */
export class Matcher {
  readonly #variables: ReadonlyMap<string, Variable> | undefined;
  readonly #listener: MatchListener;

  constructor(variables: ReadonlyMap<string, Variable> | undefined, listener: MatchListener) {
    this.#variables = variables;
    this.#listener = listener;
  }

  /** A named list: the headers of a message, the members of an object. Order, case and duplicates count. */
  fields(expected: readonly JsonMember[], actual: readonly JsonMember[], place: Place, ordered = true): void {
    const names = matchNames(
      expected.map(([name]) => name),
      actual.map(([name]) => name),
      (one, other) => this.#tellingMatch(expected[one]?.[1], actual[other]?.[1]),
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
    } else if (printJson(expected) !== printJson(actual)) {
      this.#report(differenceOf(expected, actual), place);
    }
  }

  /** How alike a pattern and a node are, from 0 to 1; variables take any value of their kind. */
  likeness(expected: JsonNode, actual: JsonNode): number {
    if (expected.kind === 'object' && actual.kind === 'object') {
      // Of members with one key the first stands for all.
      const wanted = new Map(
        this.#members(expected)
          .toReversed()
          .map(([key, value]) => [key, value]),
      );
      const found = new Map(actual.members.toReversed().map(([key, value]) => [key, value]));
      const keys = new Set([...wanted.keys(), ...found.keys()]);
      if (keys.size === 0) return 1;
      let sum = 0;
      for (const key of keys) {
        const [one, other] = [wanted.get(key), found.get(key)];
        if (one !== undefined && other !== undefined) sum += this.likeness(one, other);
      }
      return sum / keys.size;
    }
    if (expected.kind === 'array' && actual.kind === 'array') {
      const most = Math.max(expected.items.length, actual.items.length);
      if (most === 0) return 1;
      let sum = 0;
      expected.items.forEach((item, index) => {
        const other = actual.items[index];
        if (other !== undefined) sum += this.likeness(item, other);
      });
      return sum / most;
    }
    return this.#matches(expected, actual) ? 1 : 0;
  }

  #matches(expected: JsonNode, actual: JsonNode): boolean {
    let matches = true;
    const silent = new Matcher(this.#variables, {
      mismatch: () => {
        matches = false;
      },
      occurrence: (name, value) => {
        const kind = this.#variables?.get(name)?.kind;
        if (kind !== undefined && !kinds[kind].accepts(value)) matches = false;
      },
    });
    silent.node(expected, actual, { exchange: 0, side: 'client', part: 'exchange', path: [] });
    return matches;
  }

  /** A match that is no accident: too many values are `true`, `0` or `"auto"` for those to tell a renamed thing. */
  #tellingMatch(expected: JsonNode | undefined, actual: JsonNode | undefined): boolean {
    if (expected === undefined || actual === undefined) return false;
    return printJson(actual).length >= 10 && this.#matches(expected, actual);
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
    this.#spelling(undefined, actual, place);
    this.node(inner, parsed.node, place);
  }

  #string(expected: JsonString, actual: JsonNode, place: Place): void {
    const sole = soleVariable(expected.value);
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
    this.#spelling(expected.spelling, actual, place);
  }

  /** The values of the variables in a pattern; undefined where the text does not match it. */
  #split(pattern: string, text: string): readonly (readonly [string, string])[] | undefined {
    if (this.#variables === undefined) return pattern === text ? [] : undefined;
    return compileTemplate(parseTemplate(pattern), this.#variables)(text);
  }

  /** Reports a string whose value is right, but not its escapes. */
  #spelling(expected: string | undefined, actual: JsonNode, place: Place): void {
    if (actual.kind !== 'string' || actual.spelling === expected) return;
    this.#report(respelled(jsonString(actual.value, expected), actual), place);
  }

  #object(expected: JsonObject, actual: JsonObject, place: Place): void {
    const unordered = this.#variables !== undefined && expected.members[0]?.[0] === unorderedMark;
    this.fields(this.#members(expected), actual.members, place, !unordered);
  }

  /** The members of an object; of a pattern, without its marks. */
  #members({ members }: JsonObject): readonly JsonMember[] {
    if (this.#variables === undefined) return members;
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
    const [wanted, found] = [
      (at: number) => expected[at] ?? nameless,
      (at: number) => actual[at] ?? nameless,
    ];
    const named = (name: PathKey) => ({ ...place, path: [...place.path, name] });
    for (const [one, other] of [...match.pairs, ...match.renamed]) {
      this.node(wanted(one)[1], found(other)[1], named(wanted(one)[0]));
    }
    for (const [one, other] of match.pairs) {
      const [[name, , before], [, , after]] = [wanted(one), found(other)];
      if (before === after) continue;
      const usual = JSON.stringify(name);
      this.#report(
        { kind: 'respelled', spelling: 'key', expected: before ?? usual, actual: after ?? usual },
        named(name),
      );
    }
    for (const [one, other] of match.renamed) {
      const [from, to] = [wanted(one)[0], found(other)[0]];
      const recased = from.toLowerCase() === to.toLowerCase();
      this.#report(
        recased ? { kind: 'recased', names: [{ from, to }] } : { kind: 'renamed', from, to },
        named(from),
      );
    }
    for (const at of match.missing) {
      const [name, value] = wanted(at);
      this.#report({ kind: 'missing', expected: jsonValue(value) }, named(name));
    }
    for (const at of match.added) {
      const [name, value] = found(at);
      this.#report({ kind: 'added', actual: jsonValue(value) }, named(name));
    }
    if (!ordered) return;
    for (const at of match.moved) {
      const one = [...match.pairs, ...match.renamed].find(([, other]) => other === at)?.[0] ?? 0;
      const [name] = found(at);
      const move = { name, expectedAfter: nameBefore(expected, one), actualAfter: nameBefore(actual, at) };
      this.#report({ kind: 'moved', order: [move] }, named(name));
    }
  }

  #items(expected: readonly JsonNode[], actual: readonly JsonNode[], place: Place): void {
    const at = (list: readonly JsonNode[], index: number): JsonNode => list[index] ?? jsonString('');
    const indexed = (index: number) => ({ ...place, path: [...place.path, index] });
    const alignment = align(expected.length, actual.length, (one, other) => {
      const likeness = this.likeness(at(expected, one), at(actual, other));
      return Math.max(likeness, likenessOfForm(at(expected, one), at(actual, other)));
    });
    for (const [one, other] of alignment.pairs)
      this.node(at(expected, one), at(actual, other), indexed(other));
    const added = [...alignment.added];
    for (const from of alignment.missing) {
      const elsewhere = added.findIndex((to) => this.likeness(at(expected, from), at(actual, to)) === 1);
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

function nameBefore(fields: readonly JsonMember[], at: number): string | null {
  return fields[at - 1]?.[0] ?? null;
}
