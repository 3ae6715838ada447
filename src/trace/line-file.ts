import { existsSync } from 'node:fs';
import { ParityError } from '../errors.ts';
import { isFolder, readWhole } from '../files.ts';
import {
  type JsonNode,
  JsonSyntaxError,
  lineDepth,
  parseJson,
  printJson,
  stringAt,
  toNode,
  tryParseJson,
} from '../wire/json.ts';
import { FieldError, Fields } from '../wire/json-fields.ts';

/**
 * The file format that traces, goldens and ClientHellos share: JSON lines. The first line names the format and its version. The last
 * line marks the file as complete; a file without it was cut off.
 */
export const formats = {
  trace: 'codex-parity/trace',
  golden: 'codex-parity/golden',
  'client-hello': 'codex-parity/client-hello',
} as const;
type Format = keyof typeof formats;

/** What a reader expects of a file. */
type Wanted = Format | 'trace or golden';

/** What to do if a file is missing, or of another kind. */
const advice: Readonly<Record<Wanted, string>> = {
  trace: 'name a trace, which "record -- COMMAND" and "proxy --record" write',
  golden: 'name a golden, such as latest/fast',
  'client-hello': 'record it again',
  'trace or golden': 'name a trace, or a golden such as latest/fast',
};

/** The version this program writes, and the newest it reads. */
const formatVersion = 1;

/** The largest file that is read: its values take some 30 times as much memory. */
const maximumBytes = 2 ** 26;

/** One parsed line of a file; `line` counts from 1. */
type FileLine = { readonly line: number; readonly node: JsonNode };

/** The members of the first line besides format and version. */
export type FileInfo = Readonly<Record<string, string | number | readonly string[]>>;

export function headerLine(format: Format, info: FileInfo): string {
  return `${printJson(toNode({ format: formats[format], version: formatVersion, ...info }))}\n`;
}

export const closingLine = `${printJson(toNode({ type: 'finished' }))}\n`;

/** The format of a file, from its first line. Throws ParityError like readLines. */
export function formatOf(path: string): Format {
  const wanted = 'trace or golden';
  for (const { line, text } of linesOf(path, wanted))
    return checkHeader(path, parseLine(path, line, text, wanted), wanted);
  throw emptyFile(path, wanted);
}

/**
 * Reads a file and yields its lines: the header first, then every line up to the closing one, which is not included.
 * The whole file is held in memory. Throws ParityError with the line number for a file that is missing, corrupt, of the
 * other format, or written by a newer program. A file that is cut off has no closing line, and perhaps half a last line:
 * `onCutOff` is called at its end, by default to throw.
 */
export function* readLines(
  path: string,
  format: Format,
  onCutOff: (lastLine: number) => void = (line) => {
    throw corrupt(path, line, 'the file is cut off after this line: record it again');
  },
  parse = parseText,
): Generator<FileLine> {
  let last = 0;
  let finished = false;
  for (const { line, text, ends } of linesOf(path, format)) {
    if (finished) throw corrupt(path, line, `unexpected line after the closing line. ${remedy}`);
    if (line > 1 && !ends && tryParseJson(text, lineDepth) === undefined) break;
    const node = parseLine(path, line, text, format, parse);
    if (line === 1) {
      const actual = checkHeader(path, node, format);
      if (actual !== format)
        throw new ParityError('file-corrupt', `${path} is a ${actual}, not a ${format}: ${advice[format]}`);
    }
    last = line;
    finished = stringAt(node, 'type') === 'finished';
    if (!finished) yield { line, node };
  }
  if (last === 0) throw emptyFile(path, format);
  if (!finished) onCutOff(last);
}

/**
 * The lines of a file, numbered from 1. Lines end at newline bytes only. node:readline also splits at U+2028, which
 * JSON strings may contain.
 */
function* linesOf(
  path: string,
  wanted: Wanted,
): Generator<{ readonly line: number; readonly text: string; readonly ends: boolean }> {
  const bytes = readNamed(path, wanted);
  for (let line = 1, start = 0; start < bytes.length; line += 1) {
    const newline = bytes.indexOf('\n', start);
    const end = newline === -1 ? bytes.length : newline;
    yield { line, text: bytes.toString('utf8', start, end), ends: newline !== -1 };
    start = end + 1;
  }
}

/** Reads a file that a user may have named. */
function readNamed(path: string, wanted: Wanted): Buffer {
  try {
    return readWhole(path, maximumBytes);
  } catch (error) {
    if (!(error instanceof ParityError) || (existsSync(path) && !isFolder(path))) throw error;
    throw new ParityError(error.code, `${error.message}: ${advice[wanted]}`, { cause: error });
  }
}

/** Calls `read` and converts a FieldError it throws into a ParityError that names the file and the line. */
export function decodeLine<T>(path: string, { line, node }: FileLine, read: (node: JsonNode) => T): T {
  try {
    return read(node);
  } catch (error) {
    if (error instanceof FieldError) throw corrupt(path, line, `not valid (${error.message}). ${remedy}`);
    throw error;
  }
}

function checkHeader(path: string, node: JsonNode, wanted: Wanted): Format {
  const name = stringAt(node, 'format');
  const format = (Object.keys(formats) as Format[]).find((key) => formats[key] === name);
  if (format === undefined) throw notARecording(path, 'the line does not name a format', wanted);
  const version = decodeLine(path, { line: 1, node }, () => new Fields(node).integer('version'));
  if (version > formatVersion) {
    throw new ParityError(
      'format-newer',
      `${path} has format version ${version}, and this program reads up to ${formatVersion}: update codex-parity`,
    );
  }
  return format;
}

/** Parses the text of a line. Throws JsonSyntaxError. */
export function parseText(text: string): JsonNode {
  return parseJson(text, lineDepth).node;
}

function parseLine(path: string, line: number, text: string, wanted: Wanted, parse = parseText): JsonNode {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    // A file whose first line is not JSON is of another kind, not a damaged trace or golden.
    if (line === 1) throw notARecording(path, 'the line is not JSON', wanted);
    throw corrupt(path, line, `not valid JSON (${error.message}). ${remedy}`);
  }
}

const remedy = 'Restore the file, or record it again.';

function notARecording(path: string, reason: string, wanted: Wanted): ParityError {
  const isHar = /\.har$/i.test(path);
  const what = isHar ? `: make a trace of it with "codex-parity import ${path}"` : whatToDo(path, wanted);
  return corrupt(path, 1, `not a trace or golden (${reason})${what}`);
}

function emptyFile(path: string, wanted: Wanted): ParityError {
  const what = whatToDo(path, wanted);
  return new ParityError('file-corrupt', `${path}: not a ${wanted} (the file is empty)${what}`);
}

/** The end of a message about a file that is not what a reader expects: it is damaged if its name says that it is. */
function whatToDo(path: string, wanted: Wanted): string {
  return /\.(?:golden|trace)\.jsonl$/.test(path) ? `. ${remedy}` : `: ${advice[wanted]}`;
}

function corrupt(path: string, line: number, problem: string): ParityError {
  return new ParityError('file-corrupt', `${path}:${line}: ${problem}`);
}
