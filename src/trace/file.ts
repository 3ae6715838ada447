import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ParityError, plainReason } from '../errors.ts';
import { makeFolder, unwritable } from '../files.ts';
import { type JsonNode, JsonSyntaxError, parseJson, printJson, stringAt, toNode } from '../wire/json.ts';
import { FieldError, Fields } from './codec.ts';

/**
 * The file that traces and goldens share: JSON lines. The first names the format and its version, the last says
 * that the file is whole; a file without it was cut off.
 */
export const formats = { trace: 'codex-parity/trace', golden: 'codex-parity/golden' } as const;
export type Format = keyof typeof formats;

/** The version this program writes, and the newest it reads. */
const formatVersion = 1;

/** One line of a file; `line` counts from 1. */
export type FileRecord = { readonly line: number; readonly node: JsonNode };

/** What stands in the first line besides format and version. */
export type FileAbout = Readonly<Record<string, string | number | readonly string[]>>;

export function headerLine(format: Format, about: FileAbout): string {
  return `${printJson(toNode({ format: formats[format], version: formatVersion, ...about }))}\n`;
}

export const closingLine = `${printJson(toNode({ type: 'finished' }))}\n`;

/** The format of a file, from its first line. Throws ParityError as readRecords does. */
export function formatOf(path: string): Format {
  for (const { line, text } of linesOf(path)) return checkHeader(path, parseLine(path, line, text));
  throw new ParityError('file-corrupt', `${path} is empty, so it is neither a trace nor a golden`);
}

/**
 * Reads a file line by line: the header first, then every line up to the closing one. Throws ParityError, with the
 * line number, for a file that is missing, corrupt, cut off, of the other format, or written by a newer program.
 */
export function* readRecords(path: string, format: Format): Generator<FileRecord> {
  let last = 0;
  let finished = false;
  for (const { line, text } of linesOf(path)) {
    if (finished) throw corrupt(path, line, `stands after the closing line; ${remedy}`);
    const node = parseLine(path, line, text);
    if (line === 1) {
      const found = checkHeader(path, node);
      if (found !== format)
        throw new ParityError('file-corrupt', `${path} is a ${found}, and a ${format} is needed here`);
    }
    last = line;
    finished = isClosing(node);
    if (!finished) yield { line, node };
  }
  if (last === 0) throw new ParityError('file-corrupt', `${path} is empty, so it is not a ${format}`);
  if (!finished) {
    throw corrupt(
      path,
      last,
      'is the last, and the closing line is missing: the file was cut off; record it again',
    );
  }
}

/**
 * The lines of a file, numbered from 1. Lines end at newline bytes only, unlike in node:readline, which also splits at
 * U+2028: JSON may hold that character as it is.
 */
function* linesOf(path: string): Generator<{ readonly line: number; readonly text: string }> {
  const bytes = readBytes(path);
  for (let line = 1, start = 0; start < bytes.length; line += 1) {
    const newline = bytes.indexOf('\n', start);
    const end = newline === -1 ? bytes.length : newline;
    yield { line, text: bytes.toString('utf8', start, end) };
    start = end + 1;
  }
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new ParityError('file-unreadable', `cannot read ${path}: ${plainReason(error)}`, { cause: error });
  }
}

/** Calls `read`, and turns what it finds wrong with a line into an error that names the line. */
export function decodeLine<T>(path: string, { line, node }: FileRecord, read: (node: JsonNode) => T): T {
  try {
    return read(node);
  } catch (error) {
    if (error instanceof FieldError) throw corrupt(path, line, `is not valid: ${error.message}; ${remedy}`);
    throw error;
  }
}

/** An append-only file: each line is written whole before `append` returns, so that a crash costs no line. */
export class RecordFile {
  readonly #file: number;

  /**
   * Creates the file and its folders. Throws ParityError where that fails, or a file of that name exists: it is never
   * overwritten.
   */
  constructor(path: string, format: Format, about: FileAbout) {
    if (existsSync(path))
      throw new ParityError('usage', `${path} exists already: name another file with --out`);
    try {
      makeFolder(dirname(path));
      this.#file = openSync(path, 'wx');
    } catch (error) {
      throw unwritable(path, error);
    }
    writeSync(this.#file, headerLine(format, about));
  }

  append(node: JsonNode): void {
    writeSync(this.#file, `${printJson(node)}\n`);
  }

  finish(): void {
    writeSync(this.#file, closingLine);
    closeSync(this.#file);
  }
}

function checkHeader(path: string, node: JsonNode): Format {
  const found = stringAt(node, 'format');
  const format = (Object.keys(formats) as Format[]).find((one) => formats[one] === found);
  if (format === undefined) {
    throw new ParityError('file-corrupt', `${path} is no trace and no golden: line 1 does not name a format`);
  }
  const version = decodeLine(path, { line: 1, node }, () => new Fields(node).integer('version'));
  if (version > formatVersion) {
    throw new ParityError(
      'format-newer',
      `${path} has format version ${version} and this program reads up to ${formatVersion}: update codex-parity`,
    );
  }
  return format;
}

function isClosing(node: JsonNode): boolean {
  return stringAt(node, 'type') === 'finished';
}

function parseLine(path: string, line: number, text: string): JsonNode {
  try {
    return parseJson(text).node;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    // What does not begin as such a file never was one.
    if (line === 1)
      throw new ParityError('file-corrupt', `${path} is no trace and no golden: its first line is not JSON`);
    throw corrupt(path, line, `is not valid JSON: ${error.message}; ${remedy}`);
  }
}

const remedy = 'restore the file, or record it again';

function corrupt(path: string, line: number, what: string): ParityError {
  return new ParityError('file-corrupt', `${path}: line ${line} ${what}`);
}
