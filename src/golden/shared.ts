import { createHash } from 'node:crypto';
import { childrenOf, type JsonNode, jsonObject, jsonString, mapChildren, printJson } from '../wire/json.ts';
import { FieldError } from '../wire/json-fields.ts';
import { sharedMark } from './golden.ts';
import { nameFrom, UniqueNames } from './pattern/unique-names.ts';

/** From so many characters on a document that occurs again is written once. */
const least = 1024;

/**
 * The lines of a golden in which every larger document (object, list or string) that occurs several times stands once,
 * in a line of its own before the first use, and a reference at its places. `lines` are the events, each an object
 * whose members may hold such documents. The same lines always give the same ones.
 */
export function shareDocuments(lines: readonly JsonNode[]): JsonNode[] {
  const counts = new Map<string, number>();
  const count = (node: JsonNode): void => {
    const identity = identityOf(node);
    if (identity === undefined) return;
    const met = counts.get(identity) ?? 0;
    counts.set(identity, met + 1);
    // What stands inside of a document that is met again is written with it, and once.
    if (met === 0) childrenOf(node).forEach(count);
  };
  for (const line of lines) childrenOf(line).forEach(count);

  const shared: JsonNode[] = [];
  const names = new Map<string, string>();
  const given = new UniqueNames();
  const written: JsonNode[] = [];
  const write = (node: JsonNode, key: string): JsonNode => {
    const identity = identityOf(node);
    if (identity === undefined) return node;
    const known = names.get(identity);
    if (known !== undefined) return referenceTo(known);
    const inner = mapChildren(node, (part, own) =>
      write(part, own === undefined || own.startsWith('{{') ? key : own),
    );
    if ((counts.get(identity) ?? 0) < 2) return inner;
    const name = given.give(nameFrom(key));
    names.set(identity, name);
    written.push(jsonObject({ type: 'shared', name, value: inner }));
    return referenceTo(name);
  };
  for (const line of lines) {
    const own = mapChildren(line, (part, key) => write(part, key ?? ''));
    shared.push(...written.splice(0), own);
  }
  return shared;
}

/** The document with what its references stand for. Throws FieldError for one that is not declared. */
export function expandShared(node: JsonNode, documents: ReadonlyMap<string, JsonNode>): JsonNode {
  if (node.kind !== 'object' || !node.members.some(([key]) => key === sharedMark)) {
    return mapChildren(node, (part) => expandShared(part, documents));
  }
  const [[, name] = [], ...others] = node.members;
  if (name?.kind !== 'string' || others.length > 0) {
    throw new FieldError(
      `"${sharedMark}" must stand alone in its object, with the name of a shared document`,
    );
  }
  const document = documents.get(name.value);
  if (document === undefined) {
    throw new FieldError(`the shared document "${name.value}" is used and not declared before`);
  }
  return document;
}

function referenceTo(name: string): JsonNode {
  return { kind: 'object', members: [[sharedMark, jsonString(name)]] };
}

/** The same for documents that are spelled alike; undefined for one that is too small to be shared. */
function identityOf(node: JsonNode): string | undefined {
  const text = printJson(node);
  return text.length < least ? undefined : createHash('sha256').update(text).digest('base64');
}
