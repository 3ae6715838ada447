import { decodeEvent } from '../trace/codec.ts';
import type { TraceEvent } from '../trace/event.ts';
import { decodeLine, type FileRecord, type Format, recordAt, recordsOf } from '../trace/file.ts';
import type { Line, LineFile } from '../trace/line-file.ts';
import { NumberList } from '../trace/number-list.ts';
import { type Framing, framings, type PlainLine, plainLine } from '../trace/plain-line.ts';
import type { Side } from '../wire/message.ts';
import { type Conversation, conversationOf, type Spoken, type Steps, typeOf } from './conversation.ts';
import { Dialogue, type Exchange, isSaid, numbered } from './dialogue.ts';
import { GoldenTable } from './file.ts';
import type { Mismatch } from './mismatch.ts';
import type { Found } from './occurrences.ts';
import { PlainMatcher } from './plain-match.ts';
import { hasPlainType, plainType } from './plain-type.ts';
import { freshVariablesIn } from './plain-variables.ts';
import { RecentNames } from './recent.ts';
import { unifyConversations } from './unify.ts';

/**
 * Unifies the trace in one file with the golden in another, as unify does, in memory that hardly grows with the files:
 * of what they say only a few steps are held at once, and of each line where it stands. Lines that are alike but for
 * the values of variables are compared as they are, without being parsed. Throws ParityError where readGolden and
 * readTrace would.
 */
export function unifyFiles(
  goldenFile: LineFile,
  traceFile: LineFile,
): { readonly about: GoldenTable['about']; readonly mismatches: Mismatch[] } {
  const table = new GoldenTable(goldenFile.path);
  const recent = new RecentNames();
  const golden = new StoredDialogue(goldenFile, 'golden', (record) => table.read(record));
  golden.read(
    (line, { at, framing }, number) => {
      const names = freshVariablesIn(line, at, table.shared, recent);
      if (names !== undefined) table.meet(names, number, framing.from === 'backend');
      return names !== undefined;
    },
    (line) => table.readAlike(line),
  );
  table.assertDeclared();
  const trace = new StoredDialogue(traceFile, 'trace', (record) =>
    record.line === 1 ? undefined : decodeLine(traceFile.path, record, decodeEvent),
  );
  trace.read(() => true);
  const { variables, given, firstEvents } = table;
  const matcher = new PlainMatcher(variables, table.shared);
  const mismatches = unifyConversations(
    { variables, given, firstEvents, conversations: golden.inGolden() },
    trace.inTrace(),
    (expected, one, actual, other) =>
      expected instanceof StoredSteps && actual instanceof StoredSteps
        ? expected.match(matcher, one, actual, other)
        : undefined,
  );
  golden.readRest();
  trace.readRest();
  return { about: table.about, mismatches };
}

type Sides = { readonly client: StoredSteps; readonly backend: StoredSteps };

/** So many steps are kept once they were parsed: as many as an alignment goes back to. */
const kept = 40;

/** The model traffic of a file. Its heads are in memory, its steps are where they were. */
class StoredDialogue {
  readonly file: LineFile;
  readonly #format: Format;
  readonly #decode: (record: FileRecord) => TraceEvent | undefined;
  readonly #dialogue = new Dialogue();
  readonly #sides = new Map<number, Sides>();
  readonly #steps = new Map<number, Spoken>();
  /** Of each line, by its number: where its content begins, and in which framing; 0 for a line that must be parsed. */
  readonly #contents: Uint8Array;
  readonly #framings: Uint8Array;
  /** Whether it is known to be valid. */
  readonly #valid: Uint8Array;

  /** `decode` gives the event of a line, undefined for a line that is none. */
  constructor(file: LineFile, format: Format, decode: (record: FileRecord) => TraceEvent | undefined) {
    this.file = file;
    this.#format = format;
    this.#decode = decode;
    this.#contents = new Uint8Array(file.length + 1);
    this.#framings = new Uint8Array(file.length + 1);
    this.#valid = new Uint8Array(file.length + 1);
  }

  /**
   * Learns what stands where. A line that `plain` takes is not looked into now; `known` takes upon itself what is no
   * event.
   */
  read(
    plain: (line: Line, found: PlainLine, number: number) => boolean,
    known: (line: Line) => boolean = () => false,
  ): void {
    const skips = (line: Line, number: number) => {
      const found = plainLine(line);
      if (found === undefined) {
        const isKnown = known(line);
        if (isKnown) this.accept(number);
        return isKnown;
      }
      if (!plain(line, found, number)) return false;
      this.#contents[number] = found.at - line.start;
      this.#framings[number] = found.framing.number;
      const { type, from } = found.framing;
      // The line of a body that was cut off is not plain.
      if (type === 'message') this.#dialogue.note({ type, exchange: found.exchange, from, opcode: 'text' });
      this.#add(found.exchange, from, number);
      return true;
    };
    for (const record of recordsOf(this.file, this.#format, skips)) {
      const event = this.#decode(record);
      this.accept(record.line);
      if (event?.type !== 'message' && event?.type !== 'body') {
        if (event !== undefined) this.#dialogue.add(event);
      } else if (isSaid(event)) {
        this.#dialogue.note(event);
        this.#add(event.exchange, event.from, record.line);
      }
    }
  }

  inTrace(): Conversation[] {
    return this.#dialogue.inTrace().map((exchange, at) => this.#conversation(exchange, at));
  }

  inGolden(): Conversation[] {
    return this.#dialogue.inGolden().map((exchange, at) => this.#conversation(exchange, at));
  }

  #conversation(exchange: Exchange, at: number): Conversation {
    const { client, backend } = this.#sidesOf(exchange.request.exchange);
    client.exchange = at + 1;
    backend.exchange = at + 1;
    return { ...conversationOf(numbered(exchange, at)), client, backend };
  }

  /** The step of a line. */
  step(line: number, exchange: number): Spoken {
    const known = this.#steps.get(line);
    if (known !== undefined) return known;
    const event = this.#decode(recordAt(this.file, line));
    this.accept(line);
    if (event?.type !== 'message' && event?.type !== 'body') throw new RangeError(`line ${line} is no step`);
    const step = { ...event, exchange };
    this.#steps.set(line, step);
    if (this.#steps.size > kept)
      for (const [oldest] of [...this.#steps].slice(0, 1)) this.#steps.delete(oldest);
    return step;
  }

  /** What is around the content of a line, and where in the line that begins; undefined where it must be parsed. */
  framing(line: number): Framing | undefined {
    return this.content(line) === 0 ? undefined : framings[this.#framings[line] ?? 0];
  }

  content(line: number): number {
    return this.#contents[line] ?? 0;
  }

  accept(line: number): void {
    this.#valid[line] = 1;
  }

  /** Reads what nothing asked for: a file that is corrupt anywhere is refused. */
  readRest(): void {
    for (let line = 1; line < this.file.length; line += 1) {
      if (this.#valid[line] === 0) this.#decode(recordAt(this.file, line));
    }
  }

  #add(exchange: number, from: Side, line: number): void {
    if (this.#dialogue.has(exchange)) this.#sidesOf(exchange)[from].lines.push(line);
  }

  /** By the number that the exchange has in the file. */
  #sidesOf(exchange: number): Sides {
    const known = this.#sides.get(exchange);
    if (known !== undefined) return known;
    const sides = { client: new StoredSteps(this), backend: new StoredSteps(this) };
    this.#sides.set(exchange, sides);
    return sides;
  }
}

class StoredSteps implements Steps {
  readonly lines = new NumberList();
  readonly #dialogue: StoredDialogue;
  /** The number that the exchange has when it is compared. */
  exchange = 0;

  constructor(dialogue: StoredDialogue) {
    this.#dialogue = dialogue;
  }

  get length(): number {
    return this.lines.length;
  }

  readonly step = (at: number): Spoken => this.#dialogue.step(this.#number(at), this.exchange);

  readonly type = (at: number): string | undefined => {
    const line = this.#number(at);
    const framing = this.#dialogue.framing(line);
    if (framing?.type !== 'message' || framing.content !== 'json') return typeOf(this.step(at));
    const text = this.#dialogue.file.line(line);
    return plainType(text, text.start + this.#dialogue.content(line)) ?? typeOf(this.step(at));
  };

  /** What two steps have in common where they are spelled alike; both are then known to be valid. */
  match(matcher: PlainMatcher, at: number, actual: StoredSteps, other: number): readonly Found[] | undefined {
    const [mine, theirs] = [this.#dialogue, actual.#dialogue];
    const [line, theirLine] = [this.#number(at), actual.#number(other)];
    const framing = mine.framing(line);
    if (framing === undefined || framing !== theirs.framing(theirLine)) return undefined;
    const [golden, trace] = [mine.file.line(line), theirs.file.line(theirLine)];
    const start = golden.start + mine.content(line);
    const { from, type, content } = framing;
    // What the backend says is found by its type, and so it must have one that is plain to see.
    const needsType = from === 'backend' && type === 'message' && content === 'json';
    if (needsType && !hasPlainType(golden, start)) return undefined;
    const found = matcher.match(golden, start, trace, trace.start + theirs.content(theirLine));
    if (found !== undefined) {
      mine.accept(line);
      theirs.accept(theirLine);
    }
    return found;
  }

  #number(at: number): number {
    const line = this.lines.at(at);
    if (line === undefined) throw new RangeError(`there is no step ${at}`);
    return line;
  }
}
