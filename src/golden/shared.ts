import { createHash } from 'node:crypto';
import { childrenOf, type JsonNode, jsonObject, jsonString, mapChildren, printJson } from '../wire/json.ts';
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
  const counts = new Map<string, number>();
  const count = (node: JsonNode): void => {
    const identity = identityOf(node);
    if (identity === undefined) return;
    const before = counts.get(identity) ?? 0;
    counts.set(identity, before + 1);
    // The contents of a repeated document are written once, with it.
    if (before === 0) childrenOf(node).forEach(count);
  };
  for (const line of lines) childrenOf(line).forEach(count);

  const names = new Map<string, string>();
  const uniqueNames = new UniqueNames();
  const output: JsonNode[] = [];
  const share = (node: JsonNode, key: string): JsonNode => {
    const identity = identityOf(node);
    if (identity === undefined) return node;
    const known = names.get(identity);
    if (known !== undefined) return referenceTo(known);
    const value = mapChildren(node, (child, childKey) =>
      share(child, childKey === undefined || childKey.startsWith('{{') ? key : childKey),
    );
    if ((counts.get(identity) ?? 0) < 2) return value;
    const name = uniqueNames.assign(nameFrom(key));
    names.set(identity, name);
    output.push(jsonObject({ type: 'shared', name, value }));
    return referenceTo(name);
  };
  for (const line of lines) output.push(mapChildren(line, (part, key) => share(part, key ?? '')));
  return output;
}

/** The node with documents in place of references. Throws FieldError for a document that is not declared. */
export function expandShared(node: JsonNode, documents: ReadonlyMap<string, JsonNode>): JsonNode {
  if (node.kind !== 'object' || !node.members.some(([key]) => key === sharedMark)) {
    return mapChildren(node, (part) => expandShared(part, documents));
  }
  const [[, name] = [], ...others] = node.members;
  if (name?.kind !== 'string' || others.length > 0) {
    throw new FieldError(
      `"${sharedMark}" must be the only member of its object, with the name of a shared document`,
    );
  }
  const document = documents.get(name.value);
  if (document === undefined) {
    throw new FieldError(`shared document "${name.value}" is used but not declared before this line`);
  }
  return document;
}

function referenceTo(name: string): JsonNode {
  return { kind: 'object', members: [[sharedMark, jsonString(name)]] };
}

/** Equal for documents with the same text; undefined for one that is too small to be shared. */
function identityOf(node: JsonNode): string | undefined {
  const text = printJson(node);
  return text.length < minimumLength ? undefined : createHash('sha256').update(text).digest('base64');
}
