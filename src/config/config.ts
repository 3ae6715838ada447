import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { ParityError, plainReason } from '../errors.ts';

/** The names of the file in the working folder; one of them may be there. */
export const configFiles = ['codex-parity.config.json', 'codex-parity.config.yaml'] as const;

const subject = z.strictObject({
  /** Program and arguments; see docs for the placeholders. */
  command: z.array(z.string()).min(1, 'needs a word: the program to start'),
  /** Where the subject serves the responses API, below its origin. */
  path: z.string().startsWith('/', 'must begin with a slash').optional(),
});

const aPort = 'must be a whole number from 0 to 65535';

const whole = z.int('must be a whole number').positive('must be above 0').exactOptional();

/** Names and units as in src/proxy/limits.ts: milliseconds and bytes. */
const limits = z.strictObject({
  bodyBytes: whole,
  headers: whole,
  connections: whole,
  requestTime: whole,
  connectTime: whole,
  firstByte: whole,
  idle: whole,
  connectionIdle: whole,
  connectionAge: whole,
  sessionIdle: whole,
  sessions: whole,
  historyBytes: whole,
});

/** The options of `codex-parity proxy`, under their own names; its limits stand in the file alone. */
const proxy = z.strictObject({
  port: z.int(aPort).min(0, aPort).max(65_535, aPort).optional(),
  host: z.string().optional(),
  upstream: z.string().optional(),
  auth: z.string().optional(),
  codex: z.string().optional(),
  goldens: z.string().optional(),
  record: z.string().optional(),
  grace: z.number().min(0, 'must not be below 0').optional(),
  'log-level': z.enum(['debug', 'info', 'warn', 'silent']).optional(),
  limits: limits.optional(),
});

const config = z.strictObject({
  subjects: z.record(z.string(), subject).optional(),
  proxy: proxy.optional(),
});

export type Config = z.infer<typeof config>;

/**
 * The configuration of a folder, empty where it has none. Throws ParityError `usage` that names the file, the line and
 * the key of what is wrong.
 */
export function readConfig(folder: string): Config {
  const there = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  const found = configFiles.map((name) => join(folder, name)).filter(there);
  const [path, another] = found;
  if (path === undefined) return {};
  if (another !== undefined)
    throw new ParityError('usage', `there is ${path} and ${another}: keep one of them`);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ParityError('file-unreadable', `cannot read ${path}: ${plainReason(error)}`, { cause: error });
  }
  return parseConfig(text, path);
}

/** The configuration of a text. JSON is read as the YAML that it is too, so that both are told by their lines. */
export function parseConfig(text: string, path: string): Config {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const [problem = ''] = broken.message.split('\n');
    const told =
      broken.code === 'MULTIPLE_DOCS' ? 'a second document begins' : problem.replace(/ at line .*$/, '');
    throw wrong(path, lineCounter.linePos(broken.pos[0]).line, told);
  }
  const read = config.safeParse(saidBy(document, path));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  if (issue === undefined) throw new RangeError('a refusal without a reason');
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const key = [...issue.path.map(String), ...unknown];
  throw wrong(path, lineOf(document, key, lineCounter), `${key.join('.') || 'the file'} ${problemOf(issue)}`);
}

/**
 * What a document says; nothing is an empty object. Throws ParityError for aliases that stand for more than they may.
 */
function saidBy(document: Document, path: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    throw wrong(path, 1, plainReason(error));
  }
}

function problemOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return 'is not known here';
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`;
  if (issue.code !== 'invalid_type') return issue.message.replace(/^T/, 't');
  return issue.message.endsWith('received undefined')
    ? 'is missing'
    : `must be of type ${issue.expected === 'record' ? 'object' : issue.expected}`;
}

function wrong(path: string, line: number, problem: string): ParityError {
  return new ParityError('usage', `${path}, line ${line}: ${problem}`);
}

/** The line at which a value stands, or the innermost value around it that there is. */
function lineOf(document: Document, key: readonly string[], lineCounter: LineCounter): number {
  for (let depth = key.length; depth >= 0; depth -= 1) {
    const path = key.slice(0, depth).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const node = depth === 0 ? document.contents : document.getIn(path, true);
    if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
  }
  return 1;
}
