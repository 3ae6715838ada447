import { closeSync, createReadStream, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ParityError } from '../errors.ts';
import { type JsonNode, JsonSyntaxError, parseJson, printJson, toNode } from '../wire/json.ts';
import { FieldError, Fields } from './codec.ts';

/**
 * The file that traces and goldens share: JSON lines. The first names the format and its version, the last says
 * that the file is whole; a file without it was cut off.
 */
export const formats = { trace: 'codex-parity/trace', golden: 'codex-parity/golden' } as const;
export type Format = keyof typeof formats;

/** The version this program writes, and the newest it reads. */
export const formatVersion = 1;

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
  for await (const text of lines(path)) return checkHeader(path, parseLine(path, 1, text));
  throw new ParityError('file-corrupt', `${path} is empty: it is no trace and no golden`);
}

/**
 * Reads a file line by line: first its header, then every line up to the closing one. Memory does not grow with
 * the file. Throws ParityError, with the number of the line, for a file that is corrupt, truncated, of the other
 * format, or written by a newer program.
 */
export async function* readRecords(path: string, format: Format): AsyncGenerator<FileRecord> {
  let line = 0;
  let finished = false;
  for await (const text of lines(path)) {
    line += 1;
    if (finished) throw corrupt(path, line, 'stands after the closing line');
    const node = parseLine(path, line, text);
    if (line === 1) {
      const found = checkHeader(path, node);
      if (found !== format)
        throw new ParityError('file-corrupt', `${path} is a ${found}, and a ${format} is needed here`);
    }
    finished = isClosing(node);
    if (!finished) yield { line, node };
  }
  if (line === 0) throw new ParityError('file-corrupt', `${path} is empty: it is no ${format}`);
  if (!finished) {
    throw corrupt(
      path,
      line,
      'is the last, and the closing line is missing: the file was cut off; record it again',
    );
  }
}

/** Calls `read`, and turns what it finds wrong with a line into an error that names the line. */
export function decodeLine<T>(path: string, { line, node }: FileRecord, read: (node: JsonNode) => T): T {
  try {
    return read(node);
  } catch (error) {
    if (error instanceof FieldError) throw corrupt(path, line, `is not valid: ${error.message}`);
    throw error;
  }
}

/** An append-only file: each line is written whole before `append` returns, so that a crash costs no line. */
export class RecordFile {
  readonly #file: number;

  /** Creates the file and its folders. Throws ParityError where a file of that name exists: it is never overwritten. */
  constructor(path: string, format: Format, about: FileAbout) {
    mkdirSync(dirname(path), { recursive: true });
    try {
      this.#file = openSync(path, 'wx');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw new ParityError('usage', `${path} exists already: name another file with --out`);
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

/** The lines of a file. Not by node:readline, which also breaks lines at U+2028, and that may stand in JSON as it is. */
async function* lines(path: string): AsyncGenerator<string> {
  const source = createReadStream(path, 'utf8');
  let rest: string[] = [];
  try {
    for await (const chunk of source) {
      const [first = '', ...others] = String(chunk).split('\n');
      rest.push(first);
      for (const start of others) {
        yield rest.join('');
        rest = [start];
      }
    }
    const last = rest.join('');
    if (last !== '') yield last;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : code;
    throw new ParityError('file-unreadable', `cannot read ${path}: ${reason}`);
  } finally {
    source.destroy();
  }
}

function checkHeader(path: string, node: JsonNode): Format {
  const name = node.kind === 'object' ? new Fields(node) : undefined;
  const found = name?.has('format') ? name.text('format') : undefined;
  const format = (Object.keys(formats) as Format[]).find((one) => formats[one] === found);
  if (name === undefined || format === undefined) {
    throw new ParityError('file-corrupt', `${path} is no trace and no golden: line 1 does not name a format`);
  }
  const version = decodeLine(path, { line: 1, node }, () => name.integer('version'));
  if (version > formatVersion) {
    throw new ParityError(
      'format-newer',
      `${path} has format version ${version} and this program reads up to ${formatVersion}: update codex-parity`,
    );
  }
  return format;
}

function isClosing(node: JsonNode): boolean {
  const fields = node.kind === 'object' ? new Fields(node) : undefined;
  return (
    fields?.has('type') === true &&
    fields.node('type').kind === 'string' &&
    fields.text('type') === 'finished'
  );
}

function parseLine(path: string, line: number, text: string): JsonNode {
  try {
    return parseJson(text).node;
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw corrupt(path, line, `is not valid JSON: ${error.message}`);
    throw error;
  }
}

function corrupt(path: string, line: number, what: string): ParityError {
  return new ParityError('file-corrupt', `${path}: line ${line} ${what}`);
}
