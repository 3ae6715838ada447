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
import { jsonMark, plainKey, unorderedMark, type Variable } from '../golden.ts';
import { kinds } from '../pattern/kinds.ts';
import { splitTemplate } from '../pattern/split-template.ts';
import { parseTemplate, soleVariable } from '../pattern/template.ts';
import { align, likenessOfForm } from './align.ts';
import { brief, contrast, differenceOf, type Mismatch, type MismatchKind, type Place } from './mismatch.ts';
import { matchNames, type NameMatch } from './names.ts';

/** What a pattern is matched for: mismatches are told, values of variables are collected. */
export type Listener = {
  readonly mismatch: (mismatch: Mismatch) => void;
  readonly occurrence: (variable: string, value: string, place: Place) => void;
};

/** Matches patterns of one golden with what a trace holds. */
export class Matcher {
  readonly #variables: ReadonlyMap<string, Variable>;
  readonly #listener: Listener;

  constructor(variables: ReadonlyMap<string, Variable>, listener: Listener) {
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
    if (expected.kind === 'object' && member(expected, jsonMark) !== undefined) {
      this.#json(expected, actual, place);
    } else if (expected.kind === 'string') {
      this.#string(expected, actual, place);
    } else if (expected.kind === 'object' && actual.kind === 'object') {
      this.#object(expected, actual, place);
    } else if (expected.kind === 'array' && actual.kind === 'array') {
      this.#items(expected.items, actual.items, place);
    } else if (printJson(expected) !== printJson(actual)) {
      this.#tell(differenceOf(expected, actual), place, expected, actual);
    }
  }

  /** How alike a pattern and a node are, from 0 to 1; variables take any value of their kind. */
  likeness(expected: JsonNode, actual: JsonNode): number {
    if (expected.kind === 'object' && actual.kind === 'object') {
      // Of members with one key the first stands for all.
      const wanted = new Map(
        membersOf(expected)
          .reverse()
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
        const kind = this.#variables.get(name)?.kind;
        if (kind !== undefined && !kinds[kind].takes(value)) matches = false;
      },
    });
    silent.node(expected, actual, { exchange: 0, part: '', path: [] });
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
      this.#tell('retyped', place, pattern, actual);
      return;
    }
    if (!parsed.compact) {
      this.#listener.mismatch({
        kind: 'respelled',
        places: [place],
        expected: 'JSON without white space',
        actual: brief(actual),
      });
    }
    this.#spelling(undefined, actual, place);
    this.node(inner, parsed.node, place);
  }

  #string(expected: JsonString, actual: JsonNode, place: Place): void {
    const sole = soleVariable(expected.value);
    if (sole !== undefined && this.#variables.get(sole)?.number === true) {
      if (actual.kind === 'number') this.#listener.occurrence(sole, actual.text, place);
      else this.#tell('retyped', place, expected, actual);
      return;
    }
    const values =
      actual.kind === 'string'
        ? splitTemplate(parseTemplate(expected.value), actual.value, this.#variables)
        : undefined;
    if (values === undefined) {
      this.#tell(actual.kind === 'string' ? 'changed' : 'retyped', place, expected, actual);
      return;
    }
    for (const [name, value] of values) this.#listener.occurrence(name, value, place);
    this.#spelling(expected.spelling, actual, place);
  }

  /** Tells a string whose value is right, but not its escapes. */
  #spelling(expected: string | undefined, actual: JsonNode, place: Place): void {
    if (actual.kind !== 'string' || actual.spelling === expected) return;
    this.#tell('respelled', place, jsonString(actual.value, expected), actual);
  }

  #object(expected: JsonObject, actual: JsonObject, place: Place): void {
    const unordered = expected.members[0]?.[0] === unorderedMark;
    this.fields(membersOf(expected), actual.members, place, !unordered);
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
    const named = (name: string) => ({ ...place, path: [...place.path, name] });
    for (const [one, other] of [...match.pairs, ...match.renamed]) {
      this.node(wanted(one)[1], found(other)[1], named(wanted(one)[0]));
    }
    for (const [one, other] of match.pairs) {
      const [[name, , before], [, , after]] = [wanted(one), found(other)];
      if (before === after) continue;
      const usual = JSON.stringify(name);
      this.#listener.mismatch({
        kind: 'respelled',
        places: [named(name)],
        expected: `key ${before ?? usual}`,
        actual: `key ${after ?? usual}`,
      });
    }
    for (const [one, other] of match.renamed) {
      const [before, after] = [wanted(one)[0], found(other)[0]];
      const kind = before.toLowerCase() === after.toLowerCase() ? 'recased' : 'renamed';
      this.#listener.mismatch({ kind, places: [named(before)], expected: before, actual: after });
    }
    for (const at of match.missing) this.#tell('missing', named(wanted(at)[0]), wanted(at)[1], null);
    for (const at of match.added) this.#tell('added', named(found(at)[0]), null, found(at)[1]);
    if (!ordered) return;
    for (const at of match.moved) {
      const one = [...match.pairs, ...match.renamed].find(([, other]) => other === at)?.[0] ?? 0;
      this.#listener.mismatch({
        kind: 'moved',
        places: [named(found(at)[0])],
        expected: neighbour(expected, one),
        actual: neighbour(actual, at),
      });
    }
  }

  #items(expected: readonly JsonNode[], actual: readonly JsonNode[], place: Place): void {
    const at = (list: readonly JsonNode[], index: number): JsonNode => list[index] ?? jsonString('');
    const indexed = (index: number) => ({ ...place, path: [...place.path, String(index)] });
    const alignment = align(expected.length, actual.length, (one, other) => {
      const likeness = this.likeness(at(expected, one), at(actual, other));
      return Math.max(likeness, likenessOfForm(at(expected, one), at(actual, other)));
    });
    for (const [one, other] of alignment.pairs)
      this.node(at(expected, one), at(actual, other), indexed(other));
    const added = [...alignment.added];
    for (const one of alignment.missing) {
      const elsewhere = added.findIndex((other) => this.likeness(at(expected, one), at(actual, other)) === 1);
      const [moved] = elsewhere === -1 ? [] : added.splice(elsewhere, 1);
      if (moved === undefined) {
        this.#tell('missing', indexed(one), at(expected, one), null);
        continue;
      }
      this.node(at(expected, one), at(actual, moved), indexed(moved));
      this.#listener.mismatch({
        kind: 'moved',
        places: [indexed(moved)],
        expected: `item ${one}`,
        actual: `item ${moved}: ${brief(at(actual, moved))}`,
      });
    }
    for (const other of added) this.#tell('added', indexed(other), null, at(actual, other));
  }

  #tell(kind: MismatchKind, place: Place, expected: JsonNode | null, actual: JsonNode | null): void {
    this.#listener.mismatch({ kind, places: [place], ...contrast(expected, actual) });
  }
}

/** The members of a pattern object, without its marks. */
function membersOf({ members }: JsonObject): JsonMember[] {
  return members
    .filter(([key]) => key !== unorderedMark)
    .map(([key, value, spelling]) => jsonMember(plainKey(key), value, spelling));
}

function neighbour(fields: readonly JsonMember[], at: number): string {
  const before = fields[at - 1]?.[0];
  return before === undefined ? 'first' : `after ${before}`;
}
