/**
 * JSON with its spelling. `JSON.parse` loses differences that a protocol check must see: the order of keys, duplicate
 * keys, `1.0` and `1`, integers beyond 2^53, `\u00e9` and `é`. Here a document is a tree of nodes that keeps all of
 * them. Printing a parsed compact document returns the same text.
 */
export type JsonNode = JsonLiteral | JsonNumber | JsonString | JsonArray | JsonObject;
type JsonLiteral = { readonly kind: 'literal'; readonly value: null | boolean };
/** `text` is the number exactly as written. */
type JsonNumber = { readonly kind: 'number'; readonly text: string };
/** `spelling` is the quoted source text. It is present only when it differs from what `JSON.stringify` writes. */
export type JsonString = { readonly kind: 'string'; readonly value: string; readonly spelling?: string };
export type JsonArray = { readonly kind: 'array'; readonly items: readonly JsonNode[] };
export type JsonObject = { readonly kind: 'object'; readonly members: readonly JsonMember[] };
/** `spelling` is that of the key, as for strings. */
export type JsonMember = readonly [key: string, value: JsonNode, spelling?: string];

/** Thrown for text that is not JSON. `offset` counts UTF-16 units from 0. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
  readonly offset: number;

  constructor(expected: string, offset: number) {
    super(`expected ${expected} at character ${offset + 1}`);
    this.offset = offset;
  }
}

/** A parsed document. `compact` is true when it has no white space between tokens, as the official client writes. */
export type ParsedJson = { readonly node: JsonNode; readonly compact: boolean };

/** The most levels of a document, which protects the stack. The official client reads with serde_json: its limit is 128. */
const messageDepth = 128;

/** The same for a line of a trace or golden, in which a message has a message in a string. */
export const lineDepth = 2 * messageDepth + 8;

/** Parses one JSON document (RFC 8259). Throws JsonSyntaxError. */
export function parseJson(text: string, maximumDepth = messageDepth): ParsedJson {
  return new Parser(text, maximumDepth).document();
}

/** Like parseJson, but returns undefined for text that is not JSON. */
export function tryParseJson(text: string, maximumDepth = messageDepth): ParsedJson | undefined {
  try {
    return parseJson(text, maximumDepth);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined;
    throw error;
  }
}

const blank = /[ \t\n\r]*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** Characters of a string that have no escape. */
const plain = /[ !#-[\]-\uffff]*/y;
const quote = 0x22;
const backslash = 0x5c;
const space = 0x20;
const literal = /true|false|null/y;

class Parser {
  readonly #text: string;
  readonly #maximumDepth: number;
  #at = 0;
  #compact = true;

  constructor(text: string, maximumDepth: number) {
    this.#text = text;
    this.#maximumDepth = maximumDepth;
  }

  document(): ParsedJson {
    const node = this.#value(0);
    this.#blank();
    if (this.#at < this.#text.length) throw new JsonSyntaxError('the end of the document', this.#at);
    return { node, compact: this.#compact };
  }

  #value(depth: number): JsonNode {
    if (depth > this.#maximumDepth)
      throw new JsonSyntaxError(`at most ${this.#maximumDepth} levels`, this.#at);
    this.#blank();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      case 't':
      case 'f':
      case 'n': {
        const word = this.#take(literal, 'a value');
        return { kind: 'literal', value: word === 'null' ? null : word === 'true' };
      }
      default:
        return { kind: 'number', text: this.#take(number, 'a value') };
    }
  }

  #object(depth: number): JsonObject {
    const members: JsonMember[] = [];
    this.#at += 1;
    if (this.#skip('}')) return { kind: 'object', members };
    do {
      this.#blank();
      const { value: key, spelling } = this.#string();
      this.#expect(':');
      members.push(jsonMember(key, this.#value(depth + 1), spelling));
    } while (this.#skip(','));
    this.#expect('}');
    return { kind: 'object', members };
  }

  #array(depth: number): JsonArray {
    const items: JsonNode[] = [];
    this.#at += 1;
    if (this.#skip(']')) return { kind: 'array', items };
    do {
      items.push(this.#value(depth + 1));
    } while (this.#skip(','));
    this.#expect(']');
    return { kind: 'array', items };
  }

  #string(): JsonString {
    const start = this.#at;
    if (this.#text[start] !== '"') throw new JsonSyntaxError('a string', start);
    // Most strings have no escape. From the first one on, a loop is faster.
    plain.lastIndex = start + 1;
    plain.test(this.#text);
    let end = plain.lastIndex;
    let escaped = false;
    for (let code = this.#text.charCodeAt(end); code !== quote; code = this.#text.charCodeAt(end)) {
      // Past the end of the text the code is NaN, and any comparison is false. Hence not `code < space`.
      if (!(code >= space)) throw new JsonSyntaxError('the rest of a string', end);
      if (code === backslash) escaped = true;
      end += code === backslash ? 2 : 1;
    }
    this.#at = end + 1;
    if (!escaped) {
      const value = this.#text.slice(start + 1, end);
      // A lone surrogate is usually escaped.
      if (value.isWellFormed()) return { kind: 'string', value };
    }
    const spelling = this.#text.slice(start, end + 1);
    return jsonString(escaped ? parseEscapes(spelling, start) : spelling.slice(1, -1), spelling);
  }

  #take(token: RegExp, expected: string): string {
    token.lastIndex = this.#at;
    const match = token.exec(this.#text)?.[0];
    if (match === undefined) throw new JsonSyntaxError(expected, this.#at);
    this.#at += match.length;
    return match;
  }

  #blank(): void {
    if (this.#text.charCodeAt(this.#at) > space) return;
    blank.lastIndex = this.#at;
    const length = blank.exec(this.#text)?.[0].length ?? 0;
    if (length > 0) this.#compact = false;
    this.#at += length;
  }

  #skip(punctuation: string): boolean {
    this.#blank();
    if (this.#text[this.#at] !== punctuation) return false;
    this.#at += 1;
    return true;
  }

  #expect(punctuation: string): void {
    if (!this.#skip(punctuation)) throw new JsonSyntaxError(`"${punctuation}"`, this.#at);
  }
}

function parseEscapes(spelling: string, offset: number): string {
  try {
    return String(JSON.parse(spelling));
  } catch {
    throw new JsonSyntaxError('a string with valid escapes', offset);
  }
}

/** The compact text of a node, with the spelling of every number and string. */
export function printJson(node: JsonNode): string {
  return printNode(node, printJson);
}

/** Like printJson, with texts that `print` returns for the children. */
export function printNode(node: JsonNode, print: (child: JsonNode) => string): string {
  switch (node.kind) {
    case 'literal':
      return String(node.value);
    case 'number':
      return node.text;
    case 'string':
      return node.spelling ?? JSON.stringify(node.value);
    case 'array':
      return `[${node.items.map((item) => print(item)).join(',')}]`;
    case 'object': {
      const members = node.members.map(
        ([key, value, spelling]) => `${spelling ?? JSON.stringify(key)}:${print(value)}`,
      );
      return `{${members.join(',')}}`;
    }
  }
}

/** A string node. `spelling` (with its quotes) is dropped when it is the one `JSON.stringify` writes. */
export function jsonString(value: string, spelling?: string): JsonString {
  return spelling === undefined || spelling === JSON.stringify(value)
    ? { kind: 'string', value }
    : { kind: 'string', value, spelling };
}

/** A member of an object. `spelling` is that of the key, when it is not the one `JSON.stringify` writes. */
export function jsonMember(key: string, value: JsonNode, spelling?: string): JsonMember {
  return spelling === undefined ? [key, value] : [key, value, spelling];
}

/** A node for a plain value. Object keys are in insertion order; undefined members are omitted. */
export function toNode(value: unknown): JsonNode {
  if (typeof value === 'string') return { kind: 'string', value };
  if (typeof value === 'boolean' || value === null) return { kind: 'literal', value };
  if (typeof value === 'number' && Number.isFinite(value)) return { kind: 'number', text: String(value) };
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError('not a JSON value');
  return parseJson(text).node;
}

/**
 * The node with `change` applied to each direct child. `key` is the key of an object's member, and undefined for an
 * item of an array. Keys keep their spelling. Returns the same node when no child changed.
 */
export function mapChildren(
  node: JsonNode,
  change: (child: JsonNode, key: string | undefined) => JsonNode,
): JsonNode {
  if (node.kind === 'array') {
    let items: JsonNode[] | undefined;
    for (const [at, item] of node.items.entries()) {
      const changed = change(item, undefined);
      if (changed === item) continue;
      items ??= [...node.items];
      items[at] = changed;
    }
    return items === undefined ? node : { kind: 'array', items };
  }
  if (node.kind !== 'object') return node;
  let members: JsonMember[] | undefined;
  for (const [at, [key, value, spelling]] of node.members.entries()) {
    const changed = change(value, key);
    if (changed === value) continue;
    members ??= [...node.members];
    members[at] = jsonMember(key, changed, spelling);
  }
  return members === undefined ? node : { kind: 'object', members };
}

/**
 * The tree with `change` applied to every node, bottom-up: `change` receives a node whose children have been changed
 * already. Keys keep their spelling. Returns the same node when nothing changed.
 */
export function mapJson(node: JsonNode, change: (node: JsonNode) => JsonNode): JsonNode {
  return change(mapChildren(node, (child) => mapJson(child, change)));
}

/** The direct children of a node: the items of an array, the values of an object. Empty for any other node. */
export function childrenOf(node: JsonNode): readonly JsonNode[] {
  if (node.kind === 'array') return node.items;
  return node.kind === 'object' ? node.members.map(([, value]) => value) : [];
}

/** The items of an array; empty for any other node. */
export function itemsOf(node: JsonNode | undefined): readonly JsonNode[] {
  return node?.kind === 'array' ? node.items : [];
}

/** An object with only the members that `keep` accepts; any other node unchanged. */
export function filterMembers<N extends JsonNode>(
  node: N,
  keep: (key: string, value: JsonNode) => boolean,
): N | JsonObject {
  if (node.kind !== 'object') return node;
  return { kind: 'object', members: node.members.filter(([key, value]) => keep(key, value)) };
}

/** Calls `visit` for every node of the tree, a parent before its children, in document order. */
export function visitJson(node: JsonNode, visit: (node: JsonNode) => void): void {
  visit(node);
  if (node.kind === 'array') for (const item of node.items) visitJson(item, visit);
  if (node.kind === 'object') for (const [, value] of node.members) visitJson(value, visit);
}

/** The values of all strings in the tree, in document order; keys are not included. Empty for undefined. */
export function stringsIn(node: JsonNode | undefined): string[] {
  const strings: string[] = [];
  if (node === undefined) return strings;
  visitJson(node, (part) => {
    if (part.kind === 'string') strings.push(part.value);
  });
  return strings;
}

/** An object node with these members, in their order. Values that are not nodes are converted; undefined is omitted. */
export function jsonObject(
  members: Readonly<Record<string, JsonNode | boolean | number | string | null | undefined>>,
): JsonObject {
  const defined = Object.entries(members).flatMap(([key, value]): JsonMember[] => {
    if (value === undefined) return [];
    return [[key, typeof value === 'object' && value !== null ? value : toNode(value)]];
  });
  return { kind: 'object', members: defined };
}

/** The value of the first member with this key. Undefined when the key is missing or the node is not an object. */
export function member(node: JsonNode | undefined, key: string): JsonNode | undefined {
  return node?.kind === 'object' ? node.members.find(([name]) => name === key)?.[1] : undefined;
}

/** The string at a path of keys. Undefined when there is none. */
export function stringAt(node: JsonNode | undefined, ...path: readonly string[]): string | undefined {
  let at = node;
  for (const key of path) at = member(at, key);
  return at?.kind === 'string' ? at.value : undefined;
}

/** Whether two nodes have the same spelling. */
export function sameJson(a: JsonNode, b: JsonNode): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case 'array':
      return b.kind === 'array' && areSame(a.items, b.items, sameJson);
    case 'object':
      return b.kind === 'object' && areSame(a.members, b.members, sameMember);
    case 'string':
      return b.kind === 'string' && a.value === b.value && a.spelling === b.spelling;
    default:
      return a.kind === b.kind && printJson(a) === printJson(b);
  }
}

function areSame<T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): boolean {
  return a.length === b.length && a.every((part, index) => same(part, b[index] ?? part));
}

function sameMember(
  [key, value, spelling]: JsonMember,
  [other, otherValue, otherSpelling]: JsonMember,
): boolean {
  return key === other && spelling === otherSpelling && sameJson(value, otherValue);
}
