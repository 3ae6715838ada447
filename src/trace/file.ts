import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ParityError } from '../errors.ts';
import { makeFolder, unwritable } from '../files.ts';
import { type JsonNode, JsonSyntaxError, parseJson, printJson, stringAt, toNode } from '../wire/json.ts';
import { FieldError, Fields } from './codec.ts';
import { type Line, LineFile } from './line-file.ts';

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

/** Which of the two a file is, by its first line; throws as readRecords does. */
export async function formatOf(path: string): Promise<Format> {
  const file = new LineFile(path);
  try {
    if (file.length > 0) return checkHeader(path, parseLine(path, 1, file.text(1)));
  } finally {
    file.close();
  }
  throw new ParityError('file-corrupt', `${path} is empty: it is no trace and no golden`);
}

/** Reads a file line by line, as recordsOf does. */
export function* readRecords(path: string, format: Format): Generator<FileRecord> {
  const file = new LineFile(path);
  try {
    yield* recordsOf(file, format);
  } finally {
    file.close();
  }
}

/**
 * The lines of a file: first its header, then every line up to the closing one, but for those that `skips` takes upon
 * itself. Memory does not grow with the file. Throws ParityError, with the number of the line, for a file that is
 * corrupt, truncated, of the other format, or written by a newer program.
 */
export function* recordsOf(
  file: LineFile,
  format: Format,
  skips: (line: Line, number: number) => boolean = () => false,
): Generator<FileRecord> {
  const { path } = file;
  let finished = false;
  for (let line = 1; line <= file.length; line += 1) {
    if (finished) throw corrupt(path, line, `stands after the closing line; ${remedy}`);
    if (line > 1 && skips(file.line(line), line)) continue;
    const node = parseLine(path, line, file.text(line));
    if (line === 1) {
      const found = checkHeader(path, node);
      if (found !== format)
        throw new ParityError('file-corrupt', `${path} is a ${found}, and a ${format} is needed here`);
    }
    finished = isClosing(node);
    if (!finished) yield { line, node };
  }
  if (file.length === 0) throw new ParityError('file-corrupt', `${path} is empty: it is no ${format}`);
  if (!finished) {
    throw corrupt(
      path,
      file.length,
      'is the last, and the closing line is missing: the file was cut off; record it again',
    );
  }
}

/** One line, by its number. Throws ParityError for a line that is not JSON. */
export function recordAt(file: LineFile, line: number): FileRecord {
  return { line, node: parseLine(file.path, line, file.text(line)) };
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
