import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { ParityError, plainReason } from '../errors.ts';
import { readWhole } from '../files.ts';
import { parseWith } from '../schema.ts';

/** The largest file that is read: the YAML parser takes quadratic time for some. */
const maximumBytes = 2 ** 16;

export type YamlFile<Data> = {
  readonly data: Data;
  /** The file with its comments. */
  readonly document: Document;
  /** The line of a value. For a missing value, the line of the innermost value that would contain it. */
  readonly lineOf: (key: readonly string[]) => number;
};

/** The text of a YAML file. Throws ParityError `file-unreadable`. */
export function readYaml(path: string): string {
  return readWhole(path, maximumBytes).toString();
}

/**
 * Parses a YAML file; an empty one is an empty object. JSON is read as YAML too, so that errors in either have a line.
 *
 * @throws ParityError `usage` with the file, the line and the key.
 */
export function parseYaml<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  path: string,
): YamlFile<z.output<Schema>> {
  const lineCounter = new LineCounter();
  const document = parsed(text, path, lineCounter);
  const [broken] = document.errors;
  if (broken !== undefined) {
    const [problem = ''] = broken.message.split('\n');
    const message =
      broken.code === 'MULTIPLE_DOCS'
        ? 'a second document begins: keep one of them'
        : `not valid YAML or JSON (${problem.replace(/ at line .*$/, '').replace(/:$/, '')})`;
    throw wrong(path, lineCounter.linePos(broken.pos[0]).line, message);
  }
  const checked = parseWith(schema, contentOf(document, path));
  const lineOf = (key: readonly string[]) => lineIn(document, key, lineCounter);
  if (checked.ok) return { data: checked.data, document, lineOf };
  const place = checked.path.join('.') || 'the file';
  throw wrong(path, lineOf(checked.path), `${place} ${checked.problem}`);
}

function parsed(text: string, path: string, lineCounter: LineCounter): Document {
  try {
    return parseDocument(text, { lineCounter });
  } catch (error) {
    // The parser recurses for each level.
    if (error instanceof RangeError) throw wrong(path, 1, 'lists or objects are nested too deeply');
    throw error;
  }
}

/** The value of a document; an empty object for an empty one. Throws ParityError for an alias that expands too far. */
function contentOf(document: Document, path: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    throw wrong(path, 1, plainReason(error));
  }
}

function wrong(path: string, line: number, problem: string): ParityError {
  return new ParityError('usage', `${path}, line ${line}: ${problem}`);
}

function lineIn(document: Document, key: readonly string[], lineCounter: LineCounter): number {
  for (let depth = key.length; depth >= 0; depth -= 1) {
    const path = key.slice(0, depth).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const node = depth === 0 ? document.contents : document.getIn(path, true);
    if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
  }
  return 1;
}
