import {
  childrenOf,
  type JsonNode,
  jsonObject,
  jsonString,
  lineDepth,
  mapChildren,
  printNode,
} from '../wire/json.ts';
import { FieldError } from '../wire/json-fields.ts';
import { sharedMark } from './golden.ts';
import { nameFrom, UniqueNames } from './pattern/unique-names.ts';

/** Shorter documents, in characters, are never shared. */
const minimumLength = 1024;

/**
 * Moves every large document (object, array or string) that occurs several times into a line of its own, before the line
 * of its first use, and puts references in its places. `lines` are the events, whose members may contain such documents.
 * The same input always gives the same output.
 */
export function shareDocuments(lines: readonly JsonNode[]): JsonNode[] {
  const texts = new Map<JsonNode, string>();
  const textOf = (node: JsonNode): string => {
    const text = texts.get(node) ?? printNode(node, textOf);
    texts.set(node, text);
    return text;
  };
  const counts = new Map<string, number>();
  const count = (node: JsonNode): void => {
    const text = textOf(node);
    if (text.length < minimumLength) return;
    const before = counts.get(text) ?? 0;
    counts.set(text, before + 1);
    // The contents of a repeated document are written once, with it.
    if (before === 0) childrenOf(node).forEach(count);
  };
  for (const line of lines) childrenOf(line).forEach(count);

  const names = new Map<string, string>();
  const uniqueNames = new UniqueNames();
  const output: JsonNode[] = [];
  const share = (node: JsonNode, key: string): JsonNode => {
    const text = textOf(node);
    if (text.length < minimumLength) return node;
    const known = names.get(text);
    if (known !== undefined) return referenceTo(known);
    const value = mapChildren(node, (child, childKey) =>
      share(child, childKey === undefined || childKey.startsWith('{{') ? key : childKey),
    );
    if ((counts.get(text) ?? 0) < 2) return value;
    const name = uniqueNames.assign(nameFrom(key));
    names.set(text, name);
    output.push(jsonObject({ type: 'shared', name, value }));
    return referenceTo(name);
  };
  for (const line of lines) output.push(mapChildren(line, (part, key) => share(part, key ?? '')));
  return output;
}

/** What the lines of a golden may grow to, in characters, with documents in place of references. */
const maximumSize = 2 ** 26;
/** A document with the documents that it refers to in their places. */
type SharedDocument = NodeExtent & { readonly node: JsonNode };

/** About the length of a node's text, and its levels. */
export type NodeExtent = { readonly size: number; readonly depth: number };

/**
 * The shared documents of a golden. A document refers only to documents before it, but each can do so many times: the size
 * of all lines together is limited, before any of them is walked.
 */
export class SharedDocuments {
  readonly #documents = new Map<string, SharedDocument>();
  readonly #plain: Map<JsonNode, NodeExtent>;
  #size = 0;
  /** The levels of the node that is being expanded. */
  #depth = 0;

  /** `plain` keeps which nodes have no references. */
  constructor(plain: Map<JsonNode, NodeExtent>) {
    this.#plain = plain;
  }

  /** Declares a document. Throws FieldError, like expand. */
  declare(name: string, value: JsonNode): void {
    if (this.#documents.has(name)) throw new FieldError(`shared document "${name}" is declared twice`);
    const before = this.#size;
    const node = this.expand(value);
    this.#documents.set(name, { node, size: this.#size - before, depth: this.#depth });
  }

  /**
   * The node with documents in place of references. Throws FieldError for a document that is not declared, and if
   * documents grow too large.
   */
  expand(node: JsonNode): JsonNode {
    this.#depth = 0;
    const plain = this.#plain.get(node);
    if (plain !== undefined) {
      this.#grow(plain.size, plain.depth);
      return node;
    }
    const before = this.#size;
    const expanded = this.#expand(node, 1);
    if (expanded === node) this.#plain.set(node, { size: this.#size - before, depth: this.#depth });
    return expanded;
  }

  #expand(node: JsonNode, depth: number): JsonNode {
    this.#grow(lengthOf(node), depth);
    if (node.kind !== 'object' || !node.members.some(([key]) => key === sharedMark)) {
      return mapChildren(node, (part) => this.#expand(part, depth + 1));
    }
    const [[, name] = [], ...others] = node.members;
    if (name?.kind !== 'string' || others.length > 0) {
      throw new FieldError(
        `"${sharedMark}" must be the only member of its object, with the name of a shared document`,
      );
    }
    const document = this.#documents.get(name.value);
    if (document === undefined) {
      throw new FieldError(`shared document "${name.value}" is used but not declared before this line`);
    }
    this.#grow(document.size, depth + document.depth);
    return document.node;
  }

  #grow(size: number, depth: number): void {
    this.#size += size;
    this.#depth = Math.max(this.#depth, depth);
    if (this.#size > maximumSize)
      throw new FieldError(`with its shared documents, the file has more than ${maximumSize} characters`);
    if (depth > lineDepth)
      throw new FieldError(`with its shared documents, the line has more than ${lineDepth} levels`);
  }
}

/** About the length of the text of a node without its children. */
function lengthOf(node: JsonNode): number {
  switch (node.kind) {
    case 'string':
      return node.value.length + 3;
    case 'number':
      return node.text.length + 1;
    case 'object':
      return node.members.reduce((length, [key]) => length + key.length + 4, 2);
    default:
      return 5;
  }
}

function referenceTo(name: string): JsonNode {
  return { kind: 'object', members: [[sharedMark, jsonString(name)]] };
}
