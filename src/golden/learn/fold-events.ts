import { decodeEvent, encodeEvent } from '../../trace/codec.ts';
import { escapeStyle, inStyle } from '../../trace/escapes.ts';
import { seals } from '../../trace/seal.ts';
import type { TraceEvent } from '../../trace/trace-event.ts';
import {
  type JsonArray,
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
import { escapeKey, jsonMark, unorderedMark } from '../golden.ts';
import { authorityMark } from '../pattern/authority.ts';
import { printTemplate } from '../pattern/template.ts';
import { allEqual, runsDisagree, transpose } from './columns.ts';
import { hostTextRuleFor, isRaced } from './declared.ts';
import { sortByKey } from './key-orders.ts';
import { declareTemplate, learnTemplate, outputTemplate } from './learn-template.ts';
import type { ValueLocation, VariableCollector } from './variables.ts';

/** Members of an event that are not patterns: they must be equal in all runs. */
const framing = [
  'type',
  'from',
  'method',
  'version',
  'status',
  'opcode',
  'compressed',
  'fragments',
  'complete',
  'bytes',
  'sha256',
  'close',
] as const;

export type FoldContext = {
  /** The index of the event in the golden. */
  readonly event: number;
  /** How errors name the event. */
  readonly location: string;
  /** Whether the client resumes a thread. Some of its values then depend on the outcome of a race. */
  readonly resuming: boolean;
  /** Collects the values that differ. */
  readonly variables: VariableCollector;
  /** Whether the keys of the object at a path may come in any order. */
  readonly isUnordered: (path: readonly string[]) => boolean;
};

/** Folds the events at one position of all runs into one pattern. Throws ParityError `runs-disagree`. */
export function foldEvents<T extends TraceEvent>(events: readonly T[], context: FoldContext): T;
export function foldEvents(events: readonly TraceEvent[], context: FoldContext): TraceEvent {
  const nodes = events.map(encodeEvent);
  for (const key of framing) {
    if (!allEqual(nodes.map((node) => printJson(member(node, key) ?? jsonString('')))))
      throw runsDisagree(context.location, [key], 'differs between recordings');
  }
  const fromClient = events.every(
    (event) => event.type === 'request' || ('from' in event && event.from === 'client'),
  );
  return decodeEvent(new NodeFold(context, fromClient).fold(nodes, []));
}

/** Folds the JSON of one event. */
class NodeFold {
  readonly #context: FoldContext;
  readonly #fromClient: boolean;

  constructor(context: FoldContext, fromClient: boolean) {
    this.#context = context;
    this.#fromClient = fromClient;
  }

  fold(nodes: readonly JsonNode[], path: readonly string[]): JsonNode {
    const [first] = nodes;
    if (first === undefined) throw new RangeError('nothing to fold');
    if (nodes.every((node) => node.kind === 'object')) return this.#objects(nodes, path);
    if (nodes.every((node) => node.kind === 'array')) return this.#arrays(nodes, path);
    if (nodes.every((node) => node.kind === 'string')) return this.#strings(nodes, path);
    if (nodes.every((node) => node.kind === 'number'))
      return this.#numbers(
        nodes.map(({ text }) => text),
        path,
      );
    if (nodes.every((node) => sameJson(node, first))) return first;
    const areFlags = nodes.every((node) => node.kind === 'literal' && node.value !== null);
    throw this.#disagree(
      path,
      areFlags ? 'differs between recordings' : 'has a type that differs between recordings',
    );
  }

  #objects(objects: readonly JsonObject[], path: readonly string[]): JsonNode {
    const keys = objects.map(({ members }) => members.map(([key]) => key));
    if (!allEqual(keys.map((list) => JSON.stringify([...list].sort()))))
      throw this.#disagree(path, 'has keys that differ between recordings');
    const ordered = allEqual(keys.map((list) => JSON.stringify(list))) && !this.#context.isUnordered(path);
    const rows = objects.map(({ members }) => (ordered ? members : sortByKey(members)));
    const members = transpose(rows, this.#context.location).map((column): JsonMember => {
      const [[key] = ['']] = column;
      const memberPath = [...path, key];
      const values = column.map(([, value]) => value);
      const { spelling } = this.#spelled(
        escapeKey(key),
        column.map(([, , spelling]) => jsonString(key, spelling)),
        memberPath,
      );
      return jsonMember(escapeKey(key), this.fold(values, memberPath), spelling);
    });
    return {
      kind: 'object',
      members: ordered ? members : [[unorderedMark, { kind: 'literal', value: true }], ...members],
    };
  }

  #arrays(arrays: readonly JsonArray[], path: readonly string[]): JsonNode {
    const columns = transpose(
      arrays.map(({ items }) => items),
      `${this.#context.location}, ${path.join('.')}: the number of items`,
    );
    // The path of a header ends with its name, that of any other item with its index.
    const areHeaders = path.length === 1 && path[0] === 'headers';
    const items = columns.map((column, index) =>
      this.fold(column, [...path, (areHeaders ? headerName(column[0]) : undefined) ?? String(index)]),
    );
    return { kind: 'array', items };
  }

  #numbers(texts: readonly string[], path: readonly string[]): JsonNode {
    const [first = ''] = texts;
    if (allEqual(texts)) return { kind: 'number', text: first };
    return jsonString(`{{${this.#context.variables.assign(texts, true, this.#location(path, ''))}}}`);
  }

  #strings(strings: readonly JsonString[], path: readonly string[]): JsonNode {
    const values = strings.map(({ value }) => value);
    const documents = values.flatMap((value) => {
      const parsed = /^[{[]/.test(value) ? tryParseJson(value) : undefined;
      return parsed?.compact ? [parsed.node] : [];
    });
    if (documents.length === values.length) {
      if (this.#fromClient && strings.some(({ spelling }) => spelling !== undefined))
        throw this.#disagree(path, 'has unusual escapes');
      return { kind: 'object', members: [[jsonMark, this.fold(documents, path)]] };
    }
    const [first = ''] = values;
    const rule = hostTextRuleFor(path);
    const isLiteral = allEqual(values) && !seals.test(first) && !first.includes('{{');
    if (rule === undefined && isLiteral) return this.#spelled(first, strings, path);
    const isHost =
      (path[0] === 'headers' && path[1]?.toLowerCase() === 'host') ||
      (path[0] === 'http2' && path[1] === 'authority');
    if (isHost && values.every((value) => value === authorityMark)) return jsonString(authorityMark);
    const isOutput = this.#fromClient && path.includes('output');
    const output = isOutput
      ? outputTemplate(values, (varying) => this.#assignShellText(varying, path))
      : undefined;
    if (output !== undefined) return this.#spelled(printTemplate(output), strings, path);
    const assign = (varying: readonly string[], before: string) =>
      this.#context.variables.assign(varying, false, this.#location(path, before));
    const parts = rule === undefined ? learnTemplate(values, assign) : declareTemplate(rule, values, assign);
    return this.#spelled(printTemplate(parts), strings, path);
  }

  /** The variable of what a shell printed. It is its own: outputs of two commands are equal by chance. */
  #assignShellText(values: readonly string[], path: readonly string[]): string {
    const location = { ...this.#location(path, ''), raced: true, kind: 'shell_text' } as const;
    return this.#context.variables.assign(values, false, location);
  }

  /** A pattern with the escapes that all strings have. Strings of ASCII characters only do not show them. */
  #spelled(pattern: string, strings: readonly JsonString[], path: readonly string[]): JsonString {
    const [{ value, spelling } = jsonString('')] = strings;
    const areEqual = allEqual(strings.map((string) => string.spelling));
    if (areEqual && (spelling === undefined || pattern === value)) return jsonString(pattern, spelling);
    if (!this.#fromClient) return jsonString(pattern);
    const found = new Set(strings.map(escapeStyle).filter((style) => style !== undefined));
    const [style] = found;
    if (found.size > 1 || style === 'other')
      throw this.#disagree(path, 'has unusual escapes, and differs between recordings');
    return inStyle(pattern, style === 'raw' ? undefined : style);
  }

  #disagree(path: readonly string[], problem: string): Error {
    return runsDisagree(this.#context.location, path, problem);
  }

  #location(path: readonly string[], before: string): ValueLocation {
    const { event, resuming } = this.#context;
    return { event, fromClient: this.#fromClient, path, before, raced: resuming && isRaced(path) };
  }
}

/** The name of a header, from its pair of name and value. */
function headerName(pair: JsonNode | undefined): string | undefined {
  const [name] = pair?.kind === 'array' ? pair.items : [];
  return name?.kind === 'string' ? name.value : undefined;
}
