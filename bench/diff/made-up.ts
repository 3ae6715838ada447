import { closeSync, openSync, writeSync } from 'node:fs';
import { type Golden, jsonMark, unorderedMark, type Variable } from '../../src/golden/golden.ts';
import { Filler } from '../../src/golden/pattern/fill.ts';
import { decodeEvent, encodeEvent } from '../../src/trace/codec.ts';
import { closingLine, headerLine } from '../../src/trace/line-file.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { type JsonMember, type JsonNode, jsonObject, parseJson, printJson } from '../../src/wire/json.ts';

/** How many events the replies have, in turn. */
const replies = [20, 200, 20, 2000, 60, 600];
/** How large the first request of a turn is, in bytes: as an official one with its prompts and a history. */
const requestBytes = 60_000;
const turnsOfSocket = 40;
/** When the first run begins, in milliseconds since 1970. */
const firstClock = 1_785_432_000_000;
/** Variables that keep their values from socket to socket, and those that keep them from turn to turn. */
const lasting = new Set([
  ...['account_id', 'token', 'user_agent', 'user_agent_2', 'installation_id', 'sandbox'],
]);
const ofSocket = new Set(['session_id', 'context_window_id', 'sec_websocket_key', 'skills_instructions']);

/**
 * Writes a golden, and traces that match it: many websockets with many turns each, made of what the golden of a tool
 * turn holds, until the golden has so many bytes. Ids and clocks are new in every turn, so there are very many
 * variables; in the traces the members of unordered objects stand in another order each time.
 */
export function writeMadeUp(pattern: Golden, bytes: number, goldenPath: string, tracePath: string): void {
  const { codex, lane } = pattern;
  const madeUp = new MadeUp(pattern);
  let length = 0;
  let count = 0;
  for (const line of madeUp.lines()) {
    length += line.length + 1;
    count += 1;
    if (length >= bytes) break;
  }
  const { variables } = madeUp;
  const golden = new TextFile(goldenPath);
  const trace = new TextFile(tracePath);
  golden.write(headerLine('golden', { codex, lane, scenario: 'made-up', runs: 3 }));
  for (const { name, kind, number, distinct } of variables.values()) {
    const more = { ...(number ? { number } : {}), ...(distinct === undefined ? {} : { distinct }) };
    golden.write(`${printJson(jsonObject({ type: 'variable', name, kind, ...more }))}\n`);
  }
  trace.write(headerLine('trace', { recorded: 'made up' }));
  const filler = new Filler(variables, [['authority', 'localhost:9100'], ...valuesOf(variables)]);
  let line = 0;
  for (const text of new MadeUp(pattern).lines()) {
    golden.write(`${text}\n`);
    line += 1;
    trace.write(`${printJson(filler.node(rotated(parseJson(text).node, line)))}\n`);
    if (line === count) break;
  }
  for (const file of [golden, trace]) file.finish();
}

/** The events of so many runs of such a conversation, each of about so many bytes. */
export function madeUpRuns(pattern: Golden, bytes: number, runs: number): TraceEvent[][] {
  const madeUp = new MadeUp(pattern);
  const lines: JsonNode[] = [];
  let length = 0;
  for (const line of madeUp.lines()) {
    lines.push(parseJson(line).node);
    length += line.length;
    if (length >= bytes) break;
  }
  return Array.from({ length: runs }, (_, run) => {
    const values = valuesOf(madeUp.variables).map(([name, value]): [string, string] => [
      name,
      value.replace(/\d/, String(run)),
    ]);
    const filler = new Filler(
      madeUp.variables,
      [['authority', `localhost:${9100 + run}`], ...values],
      firstClock + run * 1e9,
    );
    return lines.map((line, at) => decodeEvent(filler.node(rotated(line, at + run))));
  });
}

class MadeUp {
  readonly variables = new Map<string, Variable>();
  readonly #pattern: Golden;

  constructor(pattern: Golden) {
    this.#pattern = pattern;
  }

  /** The lines of the events, without end. */
  *lines(): Generator<string> {
    const [exchange] = this.#pattern.exchanges;
    if (exchange === undefined) throw new RangeError('a golden without an exchange');
    const head = [exchange.connection, exchange.request].map((event) => printJson(encodeEvent(event)));
    const steps = exchange.steps.map((step) => printJson(encodeEvent(step)));
    const first = steps.findIndex(
      (step) => step.includes('"previous_response_id"') && step.includes('"from":"client"'),
    );
    const delta = steps.findIndex((step) => step.includes('"response.output_text.delta"'));
    if (first < 0 || delta < 0) throw new RangeError('a golden without a turn');
    for (let turn = 0, socket = 1; ; socket += 1) {
      for (const line of [...head, ...steps.slice(0, first)]) yield this.#own(line, socket, turn);
      for (const end = turn + turnsOfSocket; turn < end; turn += 1) {
        const events = replies[turn % replies.length] ?? 0;
        for (const [at, line] of steps.entries()) {
          if (at < first) continue;
          if (at === first) yield this.#own(grown(line), socket, turn);
          else if (at === delta) {
            for (let n = 0; n < events; n += 1) yield this.#own(numbered(line, n), socket, turn);
          } else yield this.#own(line, socket, turn);
        }
      }
    }
  }

  /** A line with the variables of its turn, in its exchange. */
  #own(line: string, socket: number, turn: number): string {
    return line
      .replace(/^(\{"type":"connection","connection":)1,/, `$1${socket},`)
      .replace(/^(\{"type":"request","connection":)1,"exchange":1,/, `$1${socket},"exchange":${socket},`)
      .replace(/^(\{"type":"[a-z]+","exchange":)1,/, `$1${socket},`)
      .replaceAll(/\{\{([a-z0-9_]+)\}\}/g, (all, name: string) => {
        // An item of the history has variables of its own: its number stands behind two underscores.
        const [base = ''] = name.split('__');
        const variable = this.#pattern.variables.get(base);
        if (variable === undefined) return all;
        const own = lasting.has(base) ? name : ofSocket.has(base) ? `${name}_s${socket}` : `${name}_t${turn}`;
        if (!this.variables.has(own)) this.variables.set(own, { ...variable, name: own });
        return `{{${own}}}`;
      });
  }
}

/** A request with more items in its input, some of them with JSON in their text. */
function grown(line: string): string {
  const item = /\{"type":"message","id":"msg_\{\{msg_id_6\}\}".*?\}\]\}\}(?=[,\]])/.exec(line)?.[0];
  if (item === undefined) throw new RangeError('a golden without a prompt');
  // An item has about 1.2 KB.
  const count = Math.ceil((requestBytes - line.length) / 1500);
  const items = Array.from({ length: count }, (_, n) => {
    const text =
      n % 5 === 0
        ? JSON.stringify({ [jsonMark]: { step: n, said: ['alpha', 'Say "OK"'] } })
        : JSON.stringify(`${'Turn back to what was said. '.repeat(40)}Step ${n}`);
    return item
      .replace('"Run both commands"', () => text)
      .replaceAll(/\{\{(msg_id_6|create_time_6)\}\}/g, `{{$1__${n}}}`);
  });
  return line.replace(item, () => [...items, item].join(','));
}

function numbered(line: string, n: number): string {
  return line
    .replace('"delta":"Done"', `"delta":" word ${n}"`)
    .replace(/"sequence_number":\d+/, `"sequence_number":${n + 4}`);
}

/** The same pattern with the members of its unordered objects beginning with another one. */
function rotated(node: JsonNode, by: number): JsonNode {
  if (node.kind === 'array') return { kind: 'array', items: node.items.map((item) => rotated(item, by)) };
  if (node.kind !== 'object') return node;
  const members = node.members.map(([key, value]): JsonMember => [key, rotated(value, by)]);
  if (members[0]?.[0] !== unorderedMark) return { kind: 'object', members };
  const [mark, ...others] = members;
  const from = by % others.length;
  return { kind: 'object', members: [mark, ...others.slice(from), ...others.slice(0, from)] };
}

/** Values as a tap writes them, for what a filler would only make up in form. */
function valuesOf(variables: ReadonlyMap<string, Variable>): [string, string][] {
  return [...variables.values()].flatMap(({ name, kind }, at): [string, string][] => {
    if (kind === 'secret') return [[name, `<<secret ${name} ${at}>>`]];
    if (kind === 'secret_uuid4') return [[name, `<<secret ${name} ${at} uuid4>>`]];
    if (kind === 'sealed') return [[name, `${at} ${'5ea1'.repeat(16)}`]];
    return kind === 'host_text' ? [[name, `${name} of the host`]] : [];
  });
}

/** A text file that is written piece by piece, and ends with the closing line. */
class TextFile {
  readonly #file: number;
  #pieces: string[] = [];
  #length = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'w');
  }

  write(text: string): void {
    this.#pieces.push(text);
    this.#length += text.length;
    if (this.#length > 1 << 20) this.#flush();
  }

  finish(): void {
    this.write(closingLine);
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    writeSync(this.#file, this.#pieces.join(''));
    this.#pieces = [];
    this.#length = 0;
  }
}
