import type { Line } from '../trace/line-file.ts';
import type { Variable } from './golden.ts';
import {
  backslash,
  braceClosed,
  braceOpen,
  bracketClosed,
  bracketOpen,
  colon,
  comma,
  holds,
  isAt,
  isHexadecimal,
  isTwice,
  membersFrom,
  numberEnd,
  plainEnd,
  quote,
  space,
  stringEnd,
  wordEnd,
} from './json-bytes.ts';
import { kinds } from './kinds.ts';
import { jsonStart, sharedStart, unorderedStart } from './mark-bytes.ts';
import type { Found } from './occurrences.ts';
import { isText, placeOf, places } from './recent.ts';
import { splitTemplate } from './split-template.ts';
import { nameEnd, parseTemplate } from './template.ts';

/** A variable, and the value that was last found to be of its kind. */
type Met = { readonly variable: Variable; last: Found | undefined };

/**
 * Matches JSON of a golden with JSON of a trace byte by byte, without parsing either: literal text is compared as it
 * stands, and where the golden has a variable, the value is taken from the trace. It says only that two documents
 * match, and with which values; of all others (and of all that is unusual: escapes in the text of a variable, braces
 * that are spelled out, JSON in JSON in a string) it says nothing, and the Matcher is the judge.
 *
 * A document that matches was checked to be JSON on the way.
 */
export class PlainMatcher {
  readonly #variables: ReadonlyMap<string, Variable>;
  /** The documents that a golden holds once for several places, by their names. */
  readonly #shared: ReadonlyMap<string, Buffer>;
  /** The variables met lately, by the places of their names. */
  readonly #recent = new Array<Met | undefined>(places).fill(undefined);
  #golden: Buffer = nothing;
  #at = 0;
  #trace: Buffer = nothing;
  #there = 0;
  /** Whether the trace has the JSON in a string, its quotes and backslashes with a backslash before them. */
  #inString = false;
  #found: Found[] | undefined;

  constructor(variables: ReadonlyMap<string, Variable>, shared: ReadonlyMap<string, Buffer>) {
    this.#variables = variables;
    this.#shared = shared;
  }

  /**
   * The values that stand in the trace for the variables of the golden, in their order; undefined: the Matcher must
   * tell.
   */
  match(golden: Line, at: number, trace: Line, there: number): readonly Found[] | undefined {
    this.#golden = golden.bytes;
    this.#at = at;
    this.#trace = trace.bytes;
    this.#there = there;
    this.#inString = false;
    this.#found = undefined;
    const matches = this.#value(0) && this.#same(braceClosed);
    const whole = this.#at === golden.end && this.#there === trace.end;
    return matches && whole ? (this.#found ?? []) : undefined;
  }

  #value(depth: number): boolean {
    if (depth > maximumDepth) return false;
    switch (this.#golden[this.#at]) {
      case braceOpen:
        return this.#object(depth);
      case bracketOpen:
        return this.#items(depth);
      case quote:
        return this.#string();
      default:
        return this.#word();
    }
  }

  #items(depth: number): boolean {
    if (!this.#same(bracketOpen)) return false;
    if (this.#golden[this.#at] === bracketClosed) return this.#same(bracketClosed);
    do {
      if (!this.#value(depth + 1)) return false;
    } while (this.#golden[this.#at] === comma && this.#same(comma));
    return this.#same(bracketClosed);
  }

  #object(depth: number): boolean {
    const [bytes, start] = [this.#golden, this.#at];
    if (bytes[start + 2] === braceOpen && bytes[start + 3] === braceOpen) {
      if (isAt(bytes, start, unorderedStart)) return this.#unordered(depth);
      if (isAt(bytes, start, jsonStart)) return this.#json(depth);
      return isAt(bytes, start, sharedStart) && this.#sharedValue(depth);
    }
    if (!this.#same(braceOpen)) return false;
    if (this.#golden[this.#at] === braceClosed) return this.#same(braceClosed);
    do {
      if (!this.#key() || !this.#same(colon) || !this.#value(depth + 1)) return false;
    } while (this.#golden[this.#at] === comma && this.#same(comma));
    return this.#same(braceClosed);
  }

  /** Members in any order: those of the trace are found first, and matched in the order of the golden. */
  #unordered(depth: number): boolean {
    if (this.#inString || this.#trace[this.#there] !== braceOpen) return false;
    const places = membersFrom(this.#trace, this.#there);
    if (places === undefined) return false;
    this.#at += unorderedStart.length;
    while (this.#golden[this.#at] === comma) {
      const start = this.#at + 1;
      const end = stringEnd(this.#golden, start);
      if (end === undefined || isTwice(this.#golden, start + 1, braceOpen)) return false;
      const key = this.#golden.toString('latin1', start, end);
      const place = places.members.get(key);
      // The name is compared once more, so that its escapes are checked.
      if (place === undefined || !places.members.delete(key)) return false;
      [this.#at, this.#there] = [start, place.key];
      if (!this.#key() || !this.#same(colon) || !this.#value(depth + 1)) return false;
      if (this.#there !== place.end) return false;
    }
    this.#there = places.end;
    if (places.members.size > 0 || this.#golden[this.#at] !== braceClosed) return false;
    this.#at += 1;
    return true;
  }

  /** JSON in a string: the trace has its text with all quotes and backslashes escaped. */
  #json(depth: number): boolean {
    if (this.#inString || this.#trace[this.#there] !== quote) return false;
    this.#at += jsonStart.length;
    this.#there += 1;
    this.#inString = true;
    const matches = this.#value(depth + 1);
    this.#inString = false;
    if (!matches || this.#golden[this.#at] !== braceClosed || this.#trace[this.#there] !== quote)
      return false;
    this.#at += 1;
    this.#there += 1;
    return true;
  }

  #sharedValue(depth: number): boolean {
    const golden = this.#golden;
    const start = this.#at + sharedStart.length;
    const end = stringEnd(golden, start);
    if (end === undefined || golden[end] !== braceClosed) return false;
    const document = this.#shared.get(golden.toString('utf8', start + 1, end - 1));
    if (document === undefined) return false;
    [this.#golden, this.#at] = [document, 0];
    const matches = this.#value(depth) && this.#at === document.length;
    [this.#golden, this.#at] = [golden, end + 1];
    return matches;
  }

  #key(): boolean {
    if (isTwice(this.#golden, this.#at + 1, braceOpen)) return false;
    if (!this.#same(quote)) return false;
    let end = this.#literal();
    // In a key, braces are themselves.
    while (end === braceOpen && this.#same(braceOpen)) end = this.#literal();
    return end === quote && this.#same(quote);
  }

  #string(): boolean {
    const start = this.#at + 1;
    if (isTwice(this.#golden, start, braceOpen)) {
      const number = this.#number(start);
      if (number !== undefined) return number;
    }
    const there = this.#there + (this.#inString ? 2 : 1);
    if (!this.#same(quote)) return false;
    let end = this.#literal();
    while (end === braceOpen) {
      if (isTwice(this.#golden, this.#at, braceOpen)) return this.#template(start, there);
      if (!this.#same(braceOpen)) return false;
      end = this.#literal();
    }
    return end === quote && this.#same(quote);
  }

  /** A variable whose values are numbers; undefined where it is none. */
  #number(start: number): boolean | undefined {
    const end = nameEnd(this.#golden, start + 2);
    if (!isTwice(this.#golden, end, braceClosed) || this.#golden[end + 2] !== quote) return undefined;
    const met = this.#met(start + 2, end);
    if (met?.variable.number !== true) return undefined;
    const after = numberEnd(this.#trace, this.#there);
    const from = this.#there;
    [this.#at, this.#there] = [end + 3, after];
    return from < after && this.#takesAt(met, from, after);
  }

  /**
   * The rest of a string from its first variable on. `start` and `there` are where its text begins in the golden and in
   * the trace. In both, a text with escapes is left to the Matcher, which knows the usual ones.
   */
  #template(start: number, there: number): boolean {
    const [golden, trace] = [this.#golden, this.#trace];
    const name = nameEnd(golden, this.#at + 2);
    const tail = name + 2;
    const end = plainEnd(golden, tail);
    const close = plainEnd(trace, this.#there);
    if (golden[end] !== quote || trace[close] !== (this.#inString ? backslash : quote)) return false;
    if (this.#inString && trace[close + 1] !== quote) return false;
    if (holds(golden, start, this.#at, backslash)) return false;
    const isSingle = isTwice(golden, name, braceClosed) && !holds(golden, tail, end, braceOpen);
    const behind = this.#at;
    this.#at = end + 1;
    const from = this.#there;
    this.#there = close + (this.#inString ? 2 : 1);
    if (isSingle) {
      const to = close - (end - tail);
      for (let at = tail; at < end; at += 1) if (golden[at] !== trace[to + at - tail]) return false;
      const met = this.#met(behind + 2, name);
      return met !== undefined && from <= to && this.#takesAt(met, from, to);
    }
    const parts = parseTemplate(golden.toString('utf8', start, end));
    const values = splitTemplate(parts, trace.toString('utf8', there, close), this.#variables);
    return values?.every(([name, value]) => this.#takes(this.#variables.get(name), value)) ?? false;
  }

  /** The variable whose name stands in the golden; undefined where there is none. */
  #met(from: number, to: number): Met | undefined {
    const place = placeOf(this.#golden, from, to);
    const recent = this.#recent[place];
    if (recent !== undefined && isText(this.#golden, from, to, recent.variable.name)) return recent;
    const variable = this.#variables.get(this.#golden.toString('latin1', from, to));
    const met = variable && { variable, last: undefined };
    this.#recent[place] = met;
    return met;
  }

  /** A value in the trace, which is often the one that the variable had before. */
  #takesAt(met: Met, from: number, to: number): boolean {
    const { last, variable } = met;
    if (last !== undefined && isText(this.#trace, from, to, last.value)) this.#find(last);
    else {
      if (!this.#takes(variable, this.#trace.toString('utf8', from, to))) return false;
      met.last = this.#found?.at(-1);
    }
    return true;
  }

  #takes(variable: Variable | undefined, value: string): boolean {
    if (variable === undefined || !kinds[variable.kind].takes(value)) return false;
    // The name is the variable's own, so that there is one text of it in memory.
    this.#find({ variable: variable.name, value });
    return true;
  }

  #find(found: Found): void {
    // Most lines have one, for which a list that grows would make room for many.
    if (this.#found === undefined) this.#found = [found];
    else this.#found.push(found);
  }

  /**
   * Goes over the text of a string as long as both have the same, up to a quote or a brace in the golden: which of the
   * two is given back, 0 where they differ.
   */
  #literal(): number {
    const [golden, trace] = [this.#golden, this.#trace];
    let [at, there] = [this.#at, this.#there];
    while (true) {
      let byte = golden[at] ?? 0;
      while (plainBytes[byte] === 1 && byte === trace[there]) {
        at += 1;
        there += 1;
        byte = golden[at] ?? 0;
      }
      [this.#at, this.#there] = [at, there];
      if (byte !== backslash) return byte === quote || byte === braceOpen ? byte : 0;
      if (!this.#escape()) return 0;
      [at, there] = [this.#at, this.#there];
    }
  }

  #escape(): boolean {
    const letter = this.#golden[this.#at + 1] ?? 0;
    const digits = letter === letterU ? 4 : 0;
    if (!escapes.has(letter)) return false;
    if (!this.#same(backslash) || !this.#same(letter)) return false;
    for (let count = 0; count < digits; count += 1) {
      const digit = this.#golden[this.#at] ?? 0;
      if (!isHexadecimal(digit) || !this.#same(digit)) return false;
    }
    return true;
  }

  /** true, false, null or a number. */
  #word(): boolean {
    const [golden, start] = [this.#golden, this.#at];
    const number = numberEnd(golden, start);
    const end = number > start ? number : wordEnd(golden, start);
    if (end === start) return false;
    while (this.#at < end) if (!this.#same(golden[this.#at] ?? 0)) return false;
    return true;
  }

  /**
   * Goes over one byte that both must have: a quote or a backslash is written with a backslash before it in a string.
   */
  #same(byte: number): boolean {
    if (this.#golden[this.#at] !== byte) return false;
    if (this.#inString && (byte === quote || byte === backslash)) {
      if (this.#trace[this.#there] !== backslash) return false;
      this.#there += 1;
    }
    if (this.#trace[this.#there] !== byte) return false;
    this.#at += 1;
    this.#there += 1;
    return true;
  }
}

const nothing = Buffer.alloc(0);
/** Deeper documents are left to the parser, which has a limit of its own. */
const maximumDepth = 400;
const letterU = 0x75;
/** Which bytes stand for themselves in a string, and in a template. */
const plainBytes = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= space && byte !== quote && byte !== backslash && byte !== braceOpen ? 1 : 0,
);
const escapes: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrtu'));
