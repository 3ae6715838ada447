import { ParityError } from '../errors.ts';
import { decodeEvent, encodeEvent } from '../trace/codec.ts';
import type { RequestEvent, TraceEvent } from '../trace/event.ts';
import { seals } from '../trace/seal.ts';
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
} from '../wire/json.ts';
import type { Exchange, Step } from './dialogue.ts';
import { type Golden, type GoldenId, jsonMark, keyPattern, unorderedMark } from './golden.ts';
import { Holes, type Spot } from './holes.ts';
import { hostTextRule, isRaced } from './host-text.ts';
import { placeOf, unorderedPlaces } from './key-orders.ts';
import { type Claim, declareTemplate, learnTemplate } from './learn-template.ts';
import { learnLifetimes, threadIdOf } from './lifetimes.ts';
import { nameVariables } from './name-variables.ts';
import { printTemplate } from './template.ts';

/**
 * The least general pattern that all recordings match (anti-unification). What was equal in all stays literal, what
 * varied becomes a variable, values that agreed with each other in every recording become the same one. Throws
 * ParityError `runs-disagree`, naming the place, where recordings differ in more than values. `varied` names what
 * differed between them on purpose.
 */
export function generalise(
  id: GoldenId,
  runs: readonly (readonly Exchange[])[],
  varied: readonly string[] = [],
): Golden {
  const [first] = runs;
  if (first === undefined || first.length === 0) {
    throw new ParityError('runs-disagree', `${id.scenario}: the client sent no model request`);
  }
  const events = runs.flat().flatMap(({ request, steps }) => [request, ...steps]);
  const fold = new Fold(unorderedPlaces(events));
  const folded = sameLength(runs, `${id.scenario}: the number of model requests`).map((exchanges, at) =>
    fold.exchange(exchanges, `${id.scenario}, exchange ${at + 1}`),
  );
  const variables = fold.holes.variables();
  const exchanges = folded.map((exchange) => nameVariables(exchange, variables));
  const bound = [...variables].flatMap(([token, variable]) => (fold.holes.isFree(token) ? [] : [variable]));
  const lifetimes = learnLifetimes(exchanges, bound);
  return {
    ...id,
    runs: runs.length,
    varied,
    variables: new Map(
      [...variables.values()].map((variable) => [
        variable.name,
        { ...variable, lifetime: lifetimes.get(variable.name) },
      ]),
    ),
    exchanges,
  };
}

/**
 * Response headers that the client acts upon. The others (date, server, accept key, …) belong to whoever answered,
 * and a golden says what the client does.
 */
const responseHeadersKept: ReadonlySet<string> = new Set([
  'content-type',
  'sec-websocket-extensions',
  'x-codex-turn-state',
  'retry-after',
]);

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

class Fold {
  readonly holes = new Holes();
  #event = 0;
  #fromClient = true;
  /** The threads of the exchanges so far. */
  readonly #threads = new Set<string>();
  /** The number of the event with which the last taking up of a thread is over. */
  #takenUp = 0;
  readonly #unordered: ReadonlySet<string>;

  constructor(unordered: ReadonlySet<string>) {
    this.#unordered = unordered;
  }

  exchange(runs: readonly Exchange[], place: string): Exchange {
    const [first] = runs;
    if (first === undefined) throw new RangeError('nothing to fold');
    this.#begin(first);
    const request = this.#request(runs, place);
    const steps = sameLength(
      runs.map(({ steps }) => steps),
      `${place}: the number of messages`,
    );
    const offers = runs.map(({ connection }) => JSON.stringify(connection.tls));
    if (offers.some((offer) => offer !== offers[0])) throw disagree(place, ['ALPN'], 'differs');
    return {
      connection: { ...first.connection, authority: '{{authority}}' },
      request,
      steps: steps.map((events, at) => this.#step(events, `${place}, step ${at + 1}`)),
      ...(first.end !== undefined && runs.every(({ end }) => end === first.end) ? { end: first.end } : {}),
    };
  }

  /** A client takes up a thread in an exchange that is not its first and begins with a prewarm, until that is sent. */
  #begin({ request, steps }: Exchange): void {
    const thread = threadIdOf(request);
    const said = steps.findIndex((step) => step.type !== 'response' && step.from === 'client');
    if (this.#threads.has(thread) && isPrewarm(steps[said])) this.#takenUp = this.#event + said + 2;
    if (thread !== '') this.#threads.add(thread);
  }

  #request(runs: readonly Exchange[], place: string): RequestEvent {
    const requests = runs.map(({ connection, request }) => withAuthority(request, connection.authority));
    const folded = this.#events(inOneOrder(requests), place);
    if (folded.type !== 'request') throw new RangeError('a request folded into something else');
    return folded;
  }

  #step(steps: readonly Step[], place: string): Step {
    const folded = this.#events(steps.map(withoutForeignHeaders), place);
    if (folded.type !== 'response' && folded.type !== 'body' && folded.type !== 'message') {
      throw new RangeError('a step folded into something else');
    }
    return folded;
  }

  #events(events: readonly TraceEvent[], place: string): TraceEvent {
    this.#event += 1;
    this.#fromClient = events.every(
      (event) => event.type === 'request' || ('from' in event && event.from === 'client'),
    );
    const nodes = events.map(encodeEvent);
    for (const key of framing) {
      const texts = nodes.map((node) => printJson(member(node, key) ?? jsonString('')));
      if (texts.some((text) => text !== texts[0])) throw disagree(place, [key], 'differs');
    }
    return decodeEvent(this.#nodes(nodes, [], place));
  }

  #nodes(nodes: readonly JsonNode[], path: readonly string[], place: string): JsonNode {
    const [first] = nodes;
    if (first === undefined) throw new RangeError('nothing to fold');
    if (nodes.every((node) => node.kind === 'object')) return this.#objects(nodes, path, place);
    if (nodes.every((node) => node.kind === 'array')) return this.#arrays(nodes, path, place);
    if (nodes.every((node) => node.kind === 'string')) {
      return this.#strings(
        nodes.map(({ value }) => value),
        nodes.map(({ spelling }) => spelling),
        path,
        place,
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
    throw disagree(place, path, literals ? 'differs' : 'is of different types');
  }

  #objects(objects: readonly JsonObject[], path: readonly string[], place: string): JsonNode {
    const lists = objects.map(({ members }) => members.map(([key]) => key));
    const [first = [], ...others] = lists;
    const sorted = lists.map((keys) => JSON.stringify([...keys].sort()));
    if (sorted.some((keys) => keys !== sorted[0])) throw disagree(place, path, 'has different keys');
    const alike = others.every((keys) => keys.every((key, at) => key === first[at]));
    const ordered = alike && !this.#unordered.has(placeOf(path));
    const rows = objects.map(({ members }) => (ordered ? members : sortedByKey(members)));
    const members = sameLength(rows, place).map((column): JsonMember => {
      const [[key, , spelling] = ['']] = column;
      const here = [...path, key];
      if (this.#fromClient && column.some((one) => one[2] !== spelling)) {
        throw disagree(place, here, 'has a key that is spelled differently');
      }
      const values = column.map(([, value]) => value);
      return jsonMember(keyPattern(key), this.#nodes(values, here, place), spelling);
    });
    return {
      kind: 'object',
      members: ordered ? members : [[unorderedMark, { kind: 'literal', value: true }], ...members],
    };
  }

  #arrays(arrays: readonly JsonArray[], path: readonly string[], place: string): JsonNode {
    const columns = sameLength(
      arrays.map(({ items }) => items),
      `${place}, ${path.join('.')}: the number of items`,
    );
    // Headers stand in pairs, each under its name; all other items are known by their number.
    const areHeaders = path.length === 1 && path[0] === 'headers';
    const items = columns.map((column, at) =>
      this.#nodes(column, [...path, (areHeaders ? nameOf(column[0]) : undefined) ?? String(at)], place),
    );
    return { kind: 'array', items };
  }

  #numbers(texts: readonly string[], path: readonly string[]): JsonNode {
    const [first = ''] = texts;
    if (texts.every((text) => text === first)) return { kind: 'number', text: first };
    return jsonString(`{{${this.holes.claim(texts, true, this.#spot(path, ''))}}}`);
  }

  #strings(
    values: readonly string[],
    spellings: readonly (string | undefined)[],
    path: readonly string[],
    place: string,
  ): JsonNode {
    const [first = ''] = values;
    const [spelling] = spellings;
    const inner = values.map((value) => (/^[{[]/.test(value) ? tryParseJson(value) : undefined));
    const documents = inner.filter((parsed) => parsed?.compact).map((parsed) => parsed?.node ?? null);
    if (documents.length === values.length) {
      const nodes = documents.filter((node) => node !== null);
      this.#assertUsual(spellings, path, place);
      return { kind: 'object', members: [[jsonMark, this.#nodes(nodes, path, place)]] };
    }
    const rule = hostTextRule(path);
    const literal = values.every((value) => value === first) && !seals.test(first) && !first.includes('{{');
    if (rule === undefined && literal && spellings.every((one) => one === spelling)) {
      return jsonString(first, spelling);
    }
    this.#assertUsual(spellings, path, place);
    const isHost = path[0] === 'headers' && path[1]?.toLowerCase() === 'host';
    if (isHost && values.every((value) => value === '{{authority}}')) return jsonString('{{authority}}');
    const claim: Claim = (varying, before) => this.holes.claim(varying, false, this.#spot(path, before));
    const parts = rule === undefined ? learnTemplate(values, claim) : declareTemplate(rule, values, claim);
    return jsonString(printTemplate(parts));
  }

  /** A template is a text, and has no room for escapes that a JSON library would not write by itself. */
  #assertUsual(spellings: readonly (string | undefined)[], path: readonly string[], place: string): void {
    if (this.#fromClient && spellings.some((spelling) => spelling !== undefined)) {
      throw disagree(place, path, 'is written with unusual escapes, or not with the same ones');
    }
  }

  #spot(path: readonly string[], before: string): Spot {
    const free = this.#event <= this.#takenUp && isRaced(path);
    return { event: this.#event, fromClient: this.#fromClient, path, before, free };
  }
}

/** A request that only warms up, and is not answered with words. */
function isPrewarm(step: Step | undefined): boolean {
  const json = step?.type === 'message' && step.content.kind === 'json' ? step.content.json : undefined;
  const generate = member(json, 'generate');
  return generate?.kind === 'literal' && generate.value === false;
}

/** Members in the order of their keys; those of one key stay as they stood. */
function sortedByKey<T extends readonly [key: string, ...rest: readonly unknown[]]>(
  members: readonly T[],
): T[] {
  return [...members].sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
}

/** The name of a header, from its pair. */
function nameOf(pair: JsonNode | undefined): string | undefined {
  const [name] = pair?.kind === 'array' ? pair.items : [];
  return name?.kind === 'string' ? name.value : undefined;
}

function withAuthority(request: RequestEvent, authority: string): RequestEvent {
  const headers = request.headers.map(([name, value]): (typeof request.headers)[number] =>
    name.toLowerCase() === 'host' && value.kind === 'string' && value.value === authority
      ? [name, jsonString('{{authority}}')]
      : [name, value],
  );
  return { ...request, headers };
}

function withoutForeignHeaders(step: Step): Step {
  if (step.type !== 'response') return step;
  return { ...step, headers: step.headers.filter(([name]) => responseHeadersKept.has(name.toLowerCase())) };
}

/** Requests whose headers come in one order: where it varied they are sorted by name, and marked as unordered. */
function inOneOrder(requests: readonly RequestEvent[]): readonly RequestEvent[] {
  const orders = requests.map(({ headers }) => headers.map(([name]) => name).join('\n'));
  if (orders.every((order) => order === orders[0])) return requests;
  return requests.map((request) => ({ ...request, unordered: true, headers: sortedByKey(request.headers) }));
}

/** Turns rows into columns; throws where the rows are not equally long. */
function sameLength<T>(rows: readonly (readonly T[])[], what: string): T[][] {
  const lengths = rows.map((row) => row.length);
  const [first = 0] = lengths;
  if (lengths.some((length) => length !== first)) {
    throw new ParityError('runs-disagree', `${what} differs between recordings (${lengths.join(', ')})`);
  }
  return Array.from({ length: first }, (_, at) => rows.flatMap((row) => row.slice(at, at + 1)));
}

function disagree(place: string, path: readonly string[], what: string): ParityError {
  return new ParityError(
    'runs-disagree',
    `${place}: ${path.join('.') || 'the message'} ${what} between recordings`,
  );
}
