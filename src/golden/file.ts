import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ParityError } from '../errors.ts';
import { makeFolder, unwritable } from '../files.ts';
import { decodeEvent, encodeEvent, FieldError, Fields, object } from '../trace/codec.ts';
import type { TraceEvent } from '../trace/event.ts';
import { closingLine, decodeLine, type FileRecord, headerLine, readRecords } from '../trace/file.ts';
import type { Line } from '../trace/line-file.ts';
import { type JsonNode, printJson } from '../wire/json.ts';
import { compareVersions } from '../wire/version.ts';
import { authorityName } from './authority.ts';
import { Dialogue, eventsOf, numbered } from './dialogue.ts';
import type { Golden, GoldenId, Variable } from './golden.ts';
import { isVariableKind } from './kinds.ts';
import { isLifetime } from './lifetimes.ts';
import { variablesOf } from './origin.ts';
import { shareDocuments, withShared } from './shared.ts';
import { nameEnd } from './template.ts';

const ending = '.golden.jsonl';

/** How the line of a variable begins, up to its name. */
const variableStart = Buffer.from('{"type":"variable","name":"');

/** `traces/<version>/<lane>/<scenario>.golden.jsonl` */
export function goldenPath(folder: string, { codex, lane, scenario }: GoldenId): string {
  return join(folder, codex, lane, `${scenario}${ending}`);
}

/** The text of a golden's file: the same golden always gives the same bytes. */
export function printGolden({ codex, lane, scenario, runs, varied, variables, exchanges }: Golden): string {
  const nodes = [
    ...[...variables.values()].map(encodeVariable),
    ...shareDocuments(exchanges.flatMap(eventsOf).map(encodeEvent)),
  ];
  const about = { codex, lane, scenario, runs, ...(varied.length === 0 ? {} : { varied }) };
  return headerLine('golden', about) + nodes.map((node) => `${printJson(node)}\n`).join('') + closingLine;
}

/**
 * Writes a golden in one step: whoever reads the file sees the old one or the new one, whole. Returns whether it
 * changed.
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

/** Reads a golden. Throws ParityError for a file that is missing, corrupt, cut off or of a newer format. */
export async function readGolden(path: string): Promise<Golden> {
  const table = new GoldenTable(path);
  const dialogue = new Dialogue();
  for (const record of readRecords(path, 'golden')) {
    const event = table.read(record);
    if (event !== undefined) dialogue.add(event);
  }
  table.assertDeclared();
  return { ...table.about, variables: table.variables, exchanges: dialogue.inGolden().map(numbered) };
}

/**
 * Reads the golden of this version, lane and scenario. Throws ParityError also where the file is the golden of others.
 */
export async function readGoldenOf({ codex, lane, scenario }: GoldenId, path: string): Promise<Golden> {
  const golden = await readGolden(path);
  if (golden.codex === codex && golden.lane === lane && golden.scenario === scenario) return golden;
  throw new ParityError(
    'file-corrupt',
    `${path} is the golden of codex ${golden.codex}, lane ${golden.lane}, scenario ${golden.scenario}: move it there, or record it again`,
  );
}

/** What a golden file says besides its events; it is read line by line. */
export class GoldenTable {
  readonly variables = new Map<string, Variable>();
  /** Documents that stand for several places, as they are written. */
  readonly shared = new Map<string, Buffer>();
  /** As givenByBackend has them. */
  readonly given = new Set<string>();
  /** By variable, the line of the event that it stands in first. */
  readonly firstEvents = new Map<string, number>();
  readonly #path: string;
  /** The same, with what they refer to. */
  readonly #documents = new Map<string, JsonNode>();
  /** A variable for every other text that stands behind the name in its line. */
  readonly #alike = new Map<string, Variable>();
  /** Variables that events had before they were declared. */
  readonly #undeclared = new Set<string>();
  #about: Omit<Golden, 'variables' | 'exchanges'> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  get about(): Omit<Golden, 'variables' | 'exchanges'> {
    if (this.#about === undefined) throw new ParityError('file-corrupt', `${this.#path} is empty`);
    return this.#about;
  }

  /** The event of a line; undefined where it is none. Throws ParityError for what is not valid. */
  read(record: FileRecord): TraceEvent | undefined {
    return decodeLine(this.#path, record, (node) => {
      const fields = new Fields(node);
      if (record.line === 1) {
        this.#about = { ...readId(fields), runs: fields.integer('runs'), varied: readVaried(fields) };
        return undefined;
      }
      if (fields.text('type') === 'variable') {
        const variable = decodeVariable(fields);
        if (this.variables.has(variable.name))
          throw new FieldError(`there is another variable "${variable.name}"`);
        this.variables.set(variable.name, variable);
        this.#alike.set(printJson(node).slice(variableStart.length + variable.name.length), variable);
        return undefined;
      }
      if (fields.text('type') === 'shared') {
        this.#readShared(fields);
        return undefined;
      }
      const event = decodeEvent(withShared(node, this.#documents));
      const fromBackend = event.type === 'response' || ('from' in event && event.from === 'backend');
      this.meet(variablesOf(event), record.line, fromBackend);
      return event;
    });
  }

  #readShared(fields: Fields): void {
    const [name, value] = [fields.text('name'), fields.node('value')];
    if (this.shared.has(name)) throw new FieldError(`there is another shared document "${name}"`);
    this.#documents.set(name, withShared(value, this.#documents));
    this.shared.set(name, Buffer.from(printJson(value)));
  }

  /** Takes a line that differs from one that was read in the name of the variable only; false for all others. */
  readAlike({ bytes, start, end }: Line): boolean {
    const from = start + variableStart.length;
    if (bytes.compare(variableStart, 0, variableStart.length, start, Math.min(from, end)) !== 0) return false;
    const to = nameEnd(bytes, from);
    const alike = this.#alike.get(bytes.toString('utf8', to, end));
    if (alike === undefined) return false;
    const name = bytes.toString('latin1', from, to);
    if (this.variables.has(name)) return false;
    this.variables.set(name, { ...alike, name });
    return true;
  }

  /** Variables that the event of a line has. */
  meet(names: Iterable<string>, line: number, fromBackend: boolean): void {
    for (const name of names) {
      if (this.firstEvents.has(name)) continue;
      const own = this.variables.get(name)?.name;
      if (own === undefined) this.#undeclared.add(name);
      this.firstEvents.set(own ?? name, line);
      if (fromBackend) this.given.add(own ?? name);
    }
  }

  assertDeclared(): void {
    for (const name of this.#undeclared) {
      if (name === authorityName || this.variables.has(name)) continue;
      throw new ParityError(
        'file-corrupt',
        `${this.#path}: the variable {{${name}}} is used and not declared`,
      );
    }
  }
}

/** The goldens below a folder, sorted by version, lane and scenario. */
export function listGoldens(folder: string): (GoldenId & { readonly path: string })[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith(ending) && path.split('/').length === 3)
    .map((path) => {
      const [codex = '', lane = '', file = ''] = path.split('/');
      return { codex, lane, scenario: file.slice(0, -ending.length), path: join(folder, path) };
    })
    .sort((a, b) => compareVersions(a.codex, b.codex) || a.path.localeCompare(b.path, 'en'));
}

function readId(fields: Fields): GoldenId {
  return { codex: fields.text('codex'), lane: fields.text('lane'), scenario: fields.text('scenario') };
}

function readVaried(fields: Fields): string[] {
  return fields.has('varied') ? fields.texts('varied') : [];
}

function encodeVariable({ name, kind, number, group, lifetime }: Variable): JsonNode {
  return object({
    type: 'variable',
    name,
    kind,
    ...(number ? { number } : {}),
    ...(group === undefined ? {} : { distinct: group }),
    ...(lifetime === undefined ? {} : { lifetime }),
  });
}

function decodeVariable(fields: Fields): Variable {
  const kind = fields.text('kind');
  if (!isVariableKind(kind)) throw new FieldError(`"${kind}" is no kind of variable`);
  const lifetime = fields.has('lifetime') ? fields.text('lifetime') : undefined;
  if (lifetime !== undefined && !isLifetime(lifetime)) throw new FieldError(`"${lifetime}" is no lifetime`);
  return {
    name: fields.text('name'),
    kind,
    number: fields.has('number') && fields.flag('number'),
    group: fields.has('distinct') ? fields.text('distinct') : undefined,
    lifetime,
  };
}
