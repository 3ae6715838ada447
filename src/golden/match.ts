import { type JsonNode, type JsonObject, jsonString, member, printJson, tryParseJson } from '../wire/json.ts';
import { align } from './align.ts';
import { jsonMark, unorderedMark, type Variable } from './golden.ts';
import { kinds } from './kinds.ts';
import { brief, type Mismatch, type MismatchKind, type Place } from './mismatch.ts';
import { matchNames, type NameMatch } from './names.ts';
import { parseTemplate, soleVariable } from './template.ts';

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

  /** A named list: the headers of a message. Order, case and duplicates count. */
  fields(
    expected: readonly (readonly [name: string, value: JsonNode])[],
    actual: readonly (readonly [name: string, value: JsonNode])[],
    place: Place,
    ordered = true,
  ): void {
    const names = matchNames(
      expected.map(([name]) => name),
      actual.map(([name]) => name),
      (one, other) => this.#tellingMatch(expected[one]?.[1], actual[other]?.[1]),
    );
    this.#names(names, expected, actual, place, ordered);
  }

  node(expected: JsonNode, actual: JsonNode, place: Place): void {
    if (expected.kind === 'object' && member(expected, jsonMark) !== undefined)
      return this.#json(expected, actual, place);
    if (expected.kind === 'string') return this.#string(expected, actual, place);
    if (expected.kind === 'object' && actual.kind === 'object') return this.#object(expected, actual, place);
    if (expected.kind === 'array' && actual.kind === 'array')
      return this.#items(expected.items, actual.items, place);
    if (expected.kind !== actual.kind) return this.#tell('retyped', place, expected, actual);
    if (printJson(expected) === printJson(actual)) return;
    const sameNumber =
      expected.kind === 'number' && actual.kind === 'number' && Number(expected.text) === Number(actual.text);
    const retyped =
      expected.kind === 'literal' &&
      actual.kind === 'literal' &&
      typeof expected.value !== typeof actual.value;
    this.#tell(sameNumber ? 'respelled' : retyped ? 'retyped' : 'changed', place, expected, actual);
  }

  /** How alike a pattern and a node are, from 0 to 1; variables take any value of their kind. */
  likeness(expected: JsonNode, actual: JsonNode): number {
    if (expected.kind === 'object' && actual.kind === 'object') {
      const keys = new Set([...expected.members, ...actual.members].map(([key]) => key));
      keys.delete(unorderedMark);
      if (keys.size === 0) return 1;
      let sum = 0;
      for (const key of keys) {
        const [one, other] = [member(expected, key), member(actual, key)];
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
    if (inner === undefined || parsed === undefined) return this.#tell('retyped', place, pattern, actual);
    if (!parsed.compact) {
      this.#listener.mismatch({
        kind: 'respelled',
        places: [place],
        expected: 'JSON without white space',
        actual: brief(actual),
      });
    }
    this.node(inner, parsed.node, place);
  }

  #string(expected: JsonNode & { kind: 'string' }, actual: JsonNode, place: Place): void {
    const sole = soleVariable(expected.value);
    const isNumber = sole !== undefined && this.#variables.get(sole)?.number === true;
    if (isNumber && actual.kind === 'number') return this.#listener.occurrence(sole, actual.text, place);
    if (isNumber || actual.kind !== 'string') return this.#tell('retyped', place, expected, actual);
    if (sole !== undefined) return this.#listener.occurrence(sole, actual.value, place);
    const parts = parseTemplate(expected.value);
    const [only] = parts;
    if (parts.length === 1 && only !== undefined && 'literal' in only) {
      if (only.literal !== actual.value) return this.#tell('changed', place, expected, actual);
      if (only.literal === expected.value && expected.spelling !== actual.spelling) {
        this.#tell('respelled', place, expected, actual);
      }
      return;
    }
    const values = this.#split(parts, actual.value);
    if (values === undefined) return this.#tell('changed', place, expected, actual);
    for (const [name, value] of values) this.#listener.occurrence(name, value, place);
  }

  /** The values of a template's variables in a text: first by their kinds, then by the literal parts alone. */
  #split(parts: ReturnType<typeof parseTemplate>, text: string): (readonly [string, string])[] | undefined {
    const names = parts.flatMap((part) => ('variable' in part ? [part.variable] : []));
    const attempt = (patternOf: (name: string) => string) => {
      const source = parts
        .map((part) => ('variable' in part ? `(${patternOf(part.variable)})` : escaped(part.literal)))
        .join('');
      return new RegExp(`^${source}$`, 's').exec(text)?.slice(1);
    };
    const kindPattern = (name: string) => kinds[this.#variables.get(name)?.kind ?? 'host_text'].pattern;
    const values = attempt(kindPattern) ?? attempt(() => '.*?');
    return values?.map((value, index) => [names[index] ?? '', value]);
  }

  #object(expected: JsonObject, actual: JsonObject, place: Place): void {
    const unordered = expected.members[0]?.[0] === unorderedMark;
    this.fields(unordered ? expected.members.slice(1) : expected.members, actual.members, place, !unordered);
  }

  #names(
    match: NameMatch,
    expected: readonly (readonly [string, JsonNode])[],
    actual: readonly (readonly [string, JsonNode])[],
    place: Place,
    ordered: boolean,
  ): void {
    const nameless: JsonNode = jsonString('');
    const [wanted, found] = [
      (at: number) => expected[at] ?? (['', nameless] as const),
      (at: number) => actual[at] ?? (['', nameless] as const),
    ];
    const named = (name: string) => ({ ...place, path: [...place.path, name] });
    for (const [one, other] of [...match.pairs, ...match.renamed]) {
      this.node(wanted(one)[1], found(other)[1], named(wanted(one)[0]));
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
    const alignment = align(expected.length, actual.length, (one, other) =>
      this.likeness(at(expected, one), at(actual, other)),
    );
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
    const text = (node: JsonNode | null) => (node === null ? null : brief(node));
    this.#listener.mismatch({ kind, places: [place], expected: text(expected), actual: text(actual) });
  }
}

function neighbour(fields: readonly (readonly [string, JsonNode])[], at: number): string {
  const before = fields[at - 1]?.[0];
  return before === undefined ? 'first' : `after ${before}`;
}

/** A text as a regular expression that finds just it. (`RegExp.escape` is too new for the oldest node supported.) */
function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
