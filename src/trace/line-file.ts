import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { ParityError, plainReason } from '../errors.ts';
import { NumberList } from './number-list.ts';

/** A line where it lies in memory, without its line end; valid until the next line of its file is asked for. */
export type Line = { readonly bytes: Buffer; readonly start: number; readonly end: number };

/** How much is read at once; a longer line is read whole. */
const windowBytes = 1 << 20;
const newline = 0x0a;

/**
 * A file whose lines can be read in any order: of the file only a window is in memory, and 8 bytes for each line. Lines
 * end at newline bytes only, and not at U+2028 as for node:readline: that may stand in JSON as it is.
 */
export class LineFile {
  readonly path: string;
  readonly #file: number | undefined;
  readonly #size: number;
  /** Where each line starts; and at the end where one more would. */
  readonly #starts = new NumberList();
  #window: Buffer;
  /** What `line` gave last: there are very many lines, and so they share one object. */
  readonly #line: { bytes: Buffer; start: number; end: number } = {
    bytes: Buffer.alloc(0),
    start: 0,
    end: 0,
  };
  /** Which bytes of the file are in the window. */
  #from = 0;
  #to = 0;

  /** Throws ParityError where there is no such file; `contents` are taken for it where they are given. */
  constructor(path: string, contents?: Buffer) {
    this.path = path;
    const { file, whole, size } = contents === undefined ? open(path) : given(contents);
    this.#file = file;
    this.#size = size;
    this.#window = whole ?? Buffer.allocUnsafe(Math.min(size, windowBytes));
    if (whole !== undefined) this.#to = size;
    this.#starts.push(0);
    try {
      this.#findLines();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** How many lines there are. */
  get length(): number {
    return this.#starts.length - 1;
  }

  /** A line by its number, from 1. */
  line(number: number): Line {
    const [from, to] = [this.#starts.at(number - 1), this.#starts.at(number)];
    if (from === undefined || to === undefined) throw new RangeError(`${this.path} has no line ${number}`);
    if (from < this.#from || to > this.#to) this.#read(from, to);
    const line = this.#line;
    const end = to - this.#from;
    line.bytes = this.#window;
    line.start = from - this.#from;
    // The last line may have no line end.
    line.end = this.#window[end - 1] === newline ? end - 1 : end;
    return line;
  }

  text(number: number): string {
    const { bytes, start, end } = this.line(number);
    return bytes.toString('utf8', start, end);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }

  #findLines(): void {
    while (true) {
      const filled = this.#to - this.#from;
      let found = this.#window.indexOf(newline);
      while (found !== -1 && found < filled) {
        this.#starts.push(this.#from + found + 1);
        found = this.#window.indexOf(newline, found + 1);
      }
      if (this.#to >= this.#size) break;
      this.#read(this.#to, this.#to + 1);
    }
    if (this.#starts.at(this.length) !== this.#size) this.#starts.push(this.#size);
  }

  /** Fills the window from one byte of the file on, at least up to another. */
  #read(from: number, to: number): void {
    if (this.#file === undefined) return;
    const wanted = Math.min(this.#size - from, Math.max(windowBytes, to - from));
    if (this.#window.length < wanted) this.#window = Buffer.allocUnsafe(wanted);
    this.#from = from;
    this.#to = from;
    while (this.#to < from + wanted) {
      const read = readSync(this.#file, this.#window, this.#to - from, from + wanted - this.#to, this.#to);
      if (read === 0) throw new ParityError('file-unreadable', `cannot read ${this.path}: it became shorter`);
      this.#to += read;
    }
  }
}

type Source = {
  readonly file: number | undefined;
  readonly whole: Buffer | undefined;
  readonly size: number;
};

/** What is no regular file, as a pipe, can be read only once, and so is taken whole. */
function open(path: string): Source {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const stat = fstatSync(file);
    if (stat.isFile()) return { file, whole: undefined, size: stat.size };
    const source = given(readFileSync(file));
    closeSync(file);
    return source;
  } catch (error) {
    if (file !== undefined) closeSync(file);
    throw unreadable(path, error);
  }
}

function given(whole: Buffer): Source {
  return { file: undefined, whole, size: whole.length };
}

function unreadable(path: string, error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error)) return error;
  return new ParityError('file-unreadable', `cannot read ${path}: ${plainReason(error)}`, { cause: error });
}
