import { decodeEvent, encodeEvent } from '../../trace/codec.ts';
import { seals } from '../../trace/seal.ts';
import type { TraceEvent } from '../../trace/trace-event.ts';
import {
  type JsonArray,
  type JsonMember,
  type JsonNode,
  type JsonObject,
  jsonMember,
  jsonString,
  member,
  printJson,
  tryParseJson,
} from '../../wire/json.ts';
import { escapeKey, jsonMark, unorderedMark } from '../golden.ts';
import { authorityMark } from '../pattern/authority.ts';
import { printTemplate } from '../pattern/template.ts';
import { runsDisagree, transpose } from './columns.ts';
import { hostTextRuleFor, isRaced } from './declared.ts';
import { pathKey, sortByKey } from './key-orders.ts';
import { type AssignVariable, declareTemplate, learnTemplate } from './learn-template.ts';
import type { ValueLocation, VariableCollector } from './variables.ts';

/** What an event is, besides what it holds: of this nothing may vary, and there is no pattern for it. */
const framing = [
  'type',
  'from',
  'method',
  'status',
  'opcode',
  'compressed',
  'fragments',
  'complete',
  'bytes',
  'sha256',
  'close',
] as const;

/** What an event is folded in. */
export type Setting = {
  /** Its number among those of the golden, and what it is called in errors. */
  readonly event: number;
  readonly place: string;
  /** Whether a thread is being taken up, when the client races with itself. */
  readonly takesUp: boolean;
  /** Where the values that vary are collected. */
  readonly holes: VariableCollector;
  /** The places of objects without an order. */
  readonly unordered: ReadonlySet<string>;
};

/** One event for those that stand at one place in all runs. Throws ParityError `runs-disagree`. */
export function foldEvents(events: readonly TraceEvent[], setting: Setting): TraceEvent {
  const nodes = events.map(encodeEvent);
  for (const key of framing) {
    const texts = nodes.map((node) => printJson(member(node, key) ?? jsonString('')));
    if (texts.some((text) => text !== texts[0])) throw runsDisagree(setting.place, [key], 'differs');
  }
  const fromClient = events.every(
    (event) => event.type === 'request' || ('from' in event && event.from === 'client'),
  );
  return decodeEvent(new NodeFold(setting, fromClient).fold(nodes));
}

/** Folds the JSON of one event. */
class NodeFold {
  readonly #setting: Setting;
  readonly #place: string;
  readonly #fromClient: boolean;

  constructor(setting: Setting, fromClient: boolean) {
    this.#setting = setting;
    this.#place = setting.place;
    this.#fromClient = fromClient;
  }

  fold(nodes: readonly JsonNode[]): JsonNode {
    return this.#nodes(nodes, []);
  }

  #nodes(nodes: readonly JsonNode[], path: readonly string[]): JsonNode {
    const [first] = nodes;
    if (first === undefined) throw new RangeError('nothing to fold');
    if (nodes.every((node) => node.kind === 'object')) return this.#objects(nodes, path);
    if (nodes.every((node) => node.kind === 'array')) return this.#arrays(nodes, path);
    if (nodes.every((node) => node.kind === 'string')) {
      return this.#strings(
        nodes.map(({ value }) => value),
        nodes.map(({ spelling }) => spelling),
        path,
      );
    }
    if (nodes.every((node) => node.kind === 'number'))
      return this.#numbers(
        nodes.map(({ text }) => text),
        path,
      );
    if (
      nodes.every((node) => node.kind === 'literal' && first.kind === 'literal' && node.value === first.value)
    )
      return first;
    const literals = nodes.every((node) => node.kind === 'literal' && node.value !== null);
    throw runsDisagree(this.#place, path, literals ? 'differs' : 'is of different types');
  }

  #objects(objects: readonly JsonObject[], path: readonly string[]): JsonNode {
    const lists = objects.map(({ members }) => members.map(([key]) => key));
    const [first = [], ...others] = lists;
    const sorted = lists.map((keys) => JSON.stringify([...keys].sort()));
    if (sorted.some((keys) => keys !== sorted[0]))
      throw runsDisagree(this.#place, path, 'has different keys');
    const alike = others.every((keys) => keys.every((key, at) => key === first[at]));
    const ordered = alike && !this.#setting.unordered.has(pathKey(path));
    const rows = objects.map(({ members }) => (ordered ? members : sortByKey(members)));
    const members = transpose(rows, this.#place).map((column): JsonMember => {
      const [[key, , spelling] = ['']] = column;
      const here = [...path, key];
      if (this.#fromClient && column.some((one) => one[2] !== spelling)) {
        throw runsDisagree(this.#place, here, 'has a key that is spelled differently');
      }
      const values = column.map(([, value]) => value);
      return jsonMember(escapeKey(key), this.#nodes(values, here), spelling);
    });
    return {
      kind: 'object',
      members: ordered ? members : [[unorderedMark, { kind: 'literal', value: true }], ...members],
    };
  }

  #arrays(arrays: readonly JsonArray[], path: readonly string[]): JsonNode {
    const columns = transpose(
      arrays.map(({ items }) => items),
      `${this.#place}, ${path.join('.')}: the number of items`,
    );
    // Headers stand in pairs, each under its name; all other items are known by their number.
    const areHeaders = path.length === 1 && path[0] === 'headers';
    const items = columns.map((column, at) =>
      this.#nodes(column, [...path, (areHeaders ? nameOf(column[0]) : undefined) ?? String(at)]),
    );
    return { kind: 'array', items };
  }

  #numbers(texts: readonly string[], path: readonly string[]): JsonNode {
    const [first = ''] = texts;
    if (texts.every((text) => text === first)) return { kind: 'number', text: first };
    return jsonString(`{{${this.#setting.holes.claim(texts, true, this.#spot(path, ''))}}}`);
  }

  #strings(
    values: readonly string[],
    spellings: readonly (string | undefined)[],
    path: readonly string[],
  ): JsonNode {
    const [first = ''] = values;
    const [spelling] = spellings;
    const inner = values.map((value) => (/^[{[]/.test(value) ? tryParseJson(value) : undefined));
    const documents = inner.filter((parsed) => parsed?.compact).map((parsed) => parsed?.node ?? null);
    if (documents.length === values.length) {
      const nodes = documents.filter((node) => node !== null);
      this.#assertUsual(spellings, path);
      return { kind: 'object', members: [[jsonMark, this.#nodes(nodes, path)]] };
    }
    const rule = hostTextRuleFor(path);
    const literal = values.every((value) => value === first) && !seals.test(first) && !first.includes('{{');
    if (rule === undefined && literal && spellings.every((one) => one === spelling)) {
      return jsonString(first, spelling);
    }
    this.#assertUsual(spellings, path);
    const isHost = path[0] === 'headers' && path[1]?.toLowerCase() === 'host';
    if (isHost && values.every((value) => value === authorityMark)) return jsonString(authorityMark);
    const claim: AssignVariable = (varying, before) =>
      this.#setting.holes.claim(varying, false, this.#spot(path, before));
    const parts = rule === undefined ? learnTemplate(values, claim) : declareTemplate(rule, values, claim);
    return jsonString(printTemplate(parts));
  }

  /** A template is a text, and has no room for escapes that a JSON library would not write by itself. */
  #assertUsual(spellings: readonly (string | undefined)[], path: readonly string[]): void {
    if (this.#fromClient && spellings.some((spelling) => spelling !== undefined)) {
      throw runsDisagree(this.#place, path, 'is written with unusual escapes, or not with the same ones');
    }
  }

  #spot(path: readonly string[], before: string): ValueLocation {
    const { event, takesUp } = this.#setting;
    return { event, fromClient: this.#fromClient, path, before, free: takesUp && isRaced(path) };
  }
}

/** The name of a header, from its pair. */
function nameOf(pair: JsonNode | undefined): string | undefined {
  const [name] = pair?.kind === 'array' ? pair.items : [];
  return name?.kind === 'string' ? name.value : undefined;
}
