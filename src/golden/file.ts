import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { ParityError, plainReason } from '../errors.ts';
import { isFolder, makeFolder, unwritable } from '../files.ts';
import { decodeEvent, encodeEvent } from '../trace/codec.ts';
import { closingLine, decodeLine, headerLine, parseText, readLines } from '../trace/line-file.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { compare, compareVersions } from '../wire/codex-version.ts';
import { type JsonNode, jsonObject, printJson } from '../wire/json.ts';
import { FieldError, Fields } from '../wire/json-fields.ts';
import { type Golden, type GoldenId, lifetimes, type Variable } from './golden.ts';
import { authorityName } from './pattern/authority.ts';
import { variableKinds } from './pattern/kinds.ts';
import { type NodeExtent, SharedDocuments, shareDocuments } from './shared.ts';
import { eventsOf, goldenExchanges } from './trace/exchanges.ts';
import { variablesInJson } from './trace/variable-uses.ts';

const ending = '.golden.jsonl';

/** `traces/<version>/<lane>/<scenario>.golden.jsonl` */
export function goldenPath(folder: string, { codex, lane, scenario }: GoldenId): string {
  return join(folder, codex, lane, `${scenario}${ending}`);
}

/** The text of a golden's file. Equal goldens give the same bytes. */
export function printGolden({ codex, lane, scenario, runs, varied, variables, exchanges }: Golden): string {
  const nodes = [
    ...[...variables.values()].map(encodeVariable),
    ...shareDocuments(exchanges.flatMap(eventsOf).map(encodeEvent)),
  ];
  const about = { codex, lane, scenario, runs, ...(varied.length === 0 ? {} : { varied }) };
  return headerLine('golden', about) + nodes.map((node) => `${printJson(node)}\n`).join('') + closingLine;
}

/**
 * Writes a golden atomically: a reader of the file sees the old golden or the new one. Returns whether the file changed.
 * Throws ParityError if it cannot be written.
 */
export function writeGolden(folder: string, golden: Golden): { path: string; changed: boolean } {
  const path = goldenPath(folder, golden);
  const text = printGolden(golden);
  const changed = !existsSync(path) || readFileSync(path, 'utf8') !== text;
  if (!changed) return { path, changed };
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    makeFolder(dirname(path));
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    throw unwritable(path, error);
  } finally {
    rmSync(temporary, { force: true });
  }
  return { path, changed };
}

/**
 * Reads a golden. Throws ParityError for a file that is missing, corrupt, cut off or of a newer format. `lines` are those of goldens
 * that were read before.
 */
export function readGolden(path: string, lines = new GoldenLines()): Golden {
  const reader = new GoldenReader(lines);
  for (const record of readLines(path, 'golden', undefined, lines.parse))
    decodeLine(path, record, (node) => reader.read(record.line, node));
  return reader.golden();
}

/** Like readGolden, but also throws ParityError if the file is the golden of another version, lane or scenario. */
export function readGoldenOf({ codex, lane, scenario }: GoldenId, path: string, read = readGolden): Golden {
  const golden = read(path);
  if (golden.codex === codex && golden.lane === lane && golden.scenario === scenario) return golden;
  throw new ParityError(
    'file-corrupt',
    `${path} contains the golden of codex ${golden.codex}, lane ${golden.lane}, scenario ${golden.scenario}: move it to the path of that golden, or record it again`,
  );
}

/** The most variables of a golden: some comparisons take quadratic time for them. */
const maximumVariables = 10_000;

/**
 * What was read from lines, whatever their golden: each is parsed and decoded once. Of the lines of a version's goldens, five in six are in
 * another golden too.
 */
export class GoldenLines {
  readonly parse = once(parseText);
  readonly variablesIn = once(variablesInJson);
  readonly variable = once((node: JsonNode) => decodeVariable(new Fields(node)));
  readonly event = once(decodeEvent);
  readonly plain = new Map<JsonNode, NodeExtent>();
}

/** Returns a function that computes once for each argument, and keeps the result. */
function once<Argument, Result>(compute: (argument: Argument) => Result): typeof compute {
  const known = new Map<Argument, Result>();
  return (argument) => {
    const result = known.get(argument) ?? compute(argument);
    known.set(argument, result);
    return result;
  };
}

/** Builds a golden from the lines of its file. */
class GoldenReader {
  readonly #variables = new Map<string, Variable>();
  readonly #documents: SharedDocuments;
  readonly #events: TraceEvent[] = [];
  readonly #lines: GoldenLines;
  #about: Omit<Golden, 'variables' | 'exchanges'> | undefined;

  constructor(lines: GoldenLines) {
    this.#lines = lines;
    this.#documents = new SharedDocuments(lines.plain);
  }

  /** Throws FieldError for a line that is not valid. */
  read(line: number, node: JsonNode): void {
    const fields = new Fields(node);
    if (line === 1) {
      this.#about = { ...readId(fields), runs: fields.integer('runs'), varied: readVaried(fields) };
      return;
    }
    switch (fields.text('type')) {
      case 'variable': {
        const variable = this.#lines.variable(node);
        const { name } = variable;
        if (this.#variables.has(name)) throw new FieldError(`variable "${name}" is declared twice`);
        if (this.#variables.size === maximumVariables)
          throw new FieldError(`the file has more than ${maximumVariables} variables`);
        this.#variables.set(name, variable);
        return;
      }
      case 'shared':
        this.#assertDeclared(node);
        this.#documents.declare(fields.text('name'), fields.node('value'));
        return;
      default: {
        this.#assertDeclared(node);
        const expanded = this.#documents.expand(node);
        this.#events.push(expanded === node ? this.#lines.event(node) : decodeEvent(expanded));
      }
    }
  }

  golden(): Golden {
    if (this.#about === undefined) throw new RangeError('readLines returned no line');
    return { ...this.#about, variables: this.#variables, exchanges: goldenExchanges(this.#events) };
  }

  /** Throws FieldError if a line uses a variable that no line before it declares. */
  #assertDeclared(line: JsonNode): void {
    for (const name of this.#lines.variablesIn(line)) {
      if (name !== authorityName && !this.#variables.has(name))
        throw new FieldError(`variable {{${name}}} is used but not declared before this line`);
    }
  }
}

/**
 * The goldens in a folder, sorted by version, lane and scenario. Empty if the folder does not exist. Throws ParityError for
 * a golden that is not a regular file, and for a link that leads out of the folder: neither is followed.
 */
export function listGoldens(folder: string): (GoldenId & { readonly path: string })[] {
  if (!isFolder(folder)) return [];
  const root = realpathSync(folder);
  return foldersIn(folder, root)
    .flatMap((codex) =>
      foldersIn(join(folder, codex), root).flatMap((lane) =>
        filesIn(join(folder, codex, lane), root).map((file) => {
          const scenario = file.slice(0, -ending.length);
          return { codex, lane, scenario, path: join(folder, codex, lane, file) };
        }),
      ),
    )
    .sort((a, b) => compareVersions(a.codex, b.codex) || compare(a.path, b.path));
}

function foldersIn(folder: string, root: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(
      (entry) =>
        entry.isDirectory() || (entry.isSymbolicLink() && isFolderInside(join(folder, entry.name), root)),
    )
    .map(({ name }) => name);
}

function isFolderInside(link: string, root: string): boolean {
  if (!isFolder(link)) return false;
  mustBeInside(link, root);
  return true;
}

function filesIn(folder: string, root: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => name.endsWith(ending));
  for (const entry of entries) {
    if (entry.isSymbolicLink()) mustBeInside(join(folder, entry.name), root);
    else if (!entry.isFile())
      throw new ParityError(
        'file-unreadable',
        `cannot read ${join(folder, entry.name)}: it is not a regular file`,
      );
  }
  return entries.map(({ name }) => name);
}

/** Throws ParityError if a link leads out of a folder, whose real path is `root`, or nowhere. */
function mustBeInside(link: string, root: string): void {
  let target: string;
  try {
    target = realpathSync(link);
  } catch (error) {
    throw new ParityError('file-unreadable', `cannot read ${link}: ${plainReason(error)}`, { cause: error });
  }
  if (`${target}${sep}`.startsWith(root + sep)) return;
  throw new ParityError(
    'file-unreadable',
    `cannot read ${link}: it is a link that leads out of the folder of the goldens`,
  );
}

function readId(fields: Fields): GoldenId {
  return { codex: fields.text('codex'), lane: fields.text('lane'), scenario: fields.text('scenario') };
}

function readVaried(fields: Fields): string[] {
  return fields.has('varied') ? fields.texts('varied') : [];
}

function encodeVariable({ name, kind, number, distinct, lifetime }: Variable): JsonNode {
  return jsonObject({
    type: 'variable',
    name,
    kind,
    ...(number ? { number } : {}),
    ...(distinct === undefined ? {} : { distinct }),
    ...(lifetime === undefined ? {} : { lifetime }),
  });
}

function decodeVariable(fields: Fields): Variable {
  return {
    name: fields.text('name'),
    kind: fields.oneOf('kind', variableKinds),
    number: fields.has('number') && fields.flag('number'),
    distinct: fields.has('distinct') ? fields.text('distinct') : undefined,
    lifetime: fields.has('lifetime') ? fields.oneOf('lifetime', lifetimes) : undefined,
  };
}
