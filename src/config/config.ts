import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { ParityError, plainReason } from '../errors.ts';
import { readWhole } from '../files.ts';
import { parseWith } from '../schema.ts';
import { subjectConfig } from './subject-config.ts';

/** The possible names of the file in the working folder. */
export const configFiles = ['codex-parity.config.json', 'codex-parity.config.yaml'] as const;

/** The largest file that is read: the YAML parser takes quadratic time for some. */
const maximumBytes = 2 ** 16;

const portMessage = 'must be a whole number from 0 to 65535';

const positiveInteger = z.int('must be a whole number').positive('must be above 0').exactOptional();

/** Names and units as in src/proxy/limits.ts: milliseconds and bytes. */
const limits = z.strictObject({
  bodyBytes: positiveInteger,
  headers: positiveInteger,
  connections: positiveInteger,
  requestTime: positiveInteger,
  connectTime: positiveInteger,
  firstByte: positiveInteger,
  idle: positiveInteger,
  connectionIdle: positiveInteger,
  ping: positiveInteger,
  connectionAge: positiveInteger,
  sessionIdle: positiveInteger,
  sessions: positiveInteger,
  historyBytes: positiveInteger,
});

/** The options of `codex-parity proxy` under the same names, and its limits, which only this file sets. */
const proxy = z.strictObject({
  port: z.int(portMessage).min(0, portMessage).max(65_535, portMessage).optional(),
  host: z.string().optional(),
  'allow-host': z.array(z.string()).optional(),
  upstream: z.string().optional(),
  auth: z.string().optional(),
  codex: z.string().optional(),
  goldens: z.union([z.string(), z.array(z.string())]).optional(),
  record: z.string().optional(),
  grace: z.number().min(0, 'must not be below 0').optional(),
  'log-level': z.enum(['debug', 'info', 'warn', 'silent']).optional(),
  limits: limits.optional(),
});

/** Exported for its JSON schema. */
export const config = z.strictObject({
  $schema: z.string().optional().describe('The JSON schema of this file, for editors.'),
  subjects: z
    .record(z.string().min(1), subjectConfig)
    .optional()
    .describe('Proxies to check, by the name that `check --subject` takes.'),
  proxy: proxy.optional().describe('Options of `codex-parity proxy`.'),
});

export type Config = z.infer<typeof config>;

/**
 * Reads the configuration of a folder; empty when the folder has no file.
 *
 * @throws ParityError `usage` with the file, the line and the key, or `file-unreadable`.
 */
export function readConfig(folder: string): Config {
  const exists = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  const paths = configFiles.map((name) => join(folder, name)).filter(exists);
  const [path, another] = paths;
  if (path === undefined) return {};
  if (another !== undefined)
    throw new ParityError('usage', `both ${path} and ${another} exist: keep one of them`);
  return parseConfig(readWhole(path, maximumBytes).toString(), path);
}

/** Parses a configuration. JSON is read as YAML too, so that errors in either have a line. Throws ParityError `usage`. */
export function parseConfig(text: string, path: string): Config {
  const lineCounter = new LineCounter();
  const document = parsed(text, path, lineCounter);
  const [broken] = document.errors;
  if (broken !== undefined) {
    const [problem = ''] = broken.message.split('\n');
    const message =
      broken.code === 'MULTIPLE_DOCS' ? 'a second document begins' : problem.replace(/ at line .*$/, '');
    throw wrong(path, lineCounter.linePos(broken.pos[0]).line, message);
  }
  const checked = parseWith(config, contentOf(document, path));
  if (checked.ok) return checked.data;
  const place = checked.path.join('.') || 'the file';
  throw wrong(path, lineOf(document, checked.path, lineCounter), `${place} ${checked.problem}`);
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

/** The line of a value. For a missing value, the line of the innermost value that would contain it. */
function lineOf(document: Document, key: readonly string[], lineCounter: LineCounter): number {
  for (let depth = key.length; depth >= 0; depth -= 1) {
    const path = key.slice(0, depth).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const node = depth === 0 ? document.contents : document.getIn(path, true);
    if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
  }
  return 1;
}
