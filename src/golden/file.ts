import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ParityError } from '../errors.ts';
import { decodeEvent, encodeEvent, FieldError, Fields, object } from '../trace/codec.ts';
import type { TraceEvent } from '../trace/event.ts';
import { closingLine, decodeLine, headerLine, readRecords } from '../trace/file.ts';
import { type JsonNode, printJson } from '../wire/json.ts';
import { compareVersions } from '../wire/version.ts';
import { eventsOf, exchangesOf } from './dialogue.ts';
import type { Golden, GoldenId, Variable } from './golden.ts';
import { isVariableKind } from './kinds.ts';
import { isLifetime } from './lifetimes.ts';
import { variablesOf } from './origin.ts';

const ending = '.golden.jsonl';

/** `traces/<version>/<lane>/<scenario>.golden.jsonl` */
export function goldenPath(folder: string, { codex, lane, scenario }: GoldenId): string {
  return join(folder, codex, lane, `${scenario}${ending}`);
}

/** The text of a golden's file: the same golden always gives the same bytes. */
export function printGolden({ codex, lane, scenario, runs, varied, variables, exchanges }: Golden): string {
  const nodes = [
    ...[...variables.values()].map(encodeVariable),
    ...exchanges.flatMap(eventsOf).map(encodeEvent),
  ];
  const about = { codex, lane, scenario, runs, ...(varied.length === 0 ? {} : { varied }) };
  return headerLine('golden', about) + nodes.map((node) => `${printJson(node)}\n`).join('') + closingLine;
}

/** Writes a golden in one step: whoever reads the file sees the old one or the new one, whole. Returns whether it changed. */
export function writeGolden(folder: string, golden: Golden): { path: string; changed: boolean } {
  const path = goldenPath(folder, golden);
  const text = printGolden(golden);
  const changed = !existsSync(path) || readFileSync(path, 'utf8') !== text;
  if (!changed) return { path, changed };
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  return { path, changed };
}

/** Reads a golden. Throws ParityError for a file that is missing, corrupt, cut off or of a newer format. */
export async function readGolden(path: string): Promise<Golden> {
  const variables = new Map<string, Variable>();
  const events: TraceEvent[] = [];
  let about: Pick<Golden, 'codex' | 'lane' | 'scenario' | 'runs' | 'varied'> | undefined;
  for await (const record of readRecords(path, 'golden')) {
    decodeLine(path, record, (node) => {
      const fields = new Fields(node);
      if (record.line === 1) {
        const { codex, lane, scenario } = readId(fields);
        about = { codex, lane, scenario, runs: fields.integer('runs'), varied: readVaried(fields) };
      } else if (fields.text('type') === 'variable') {
        const variable = decodeVariable(fields);
        variables.set(variable.name, variable);
      } else {
        events.push(decodeEvent(node));
      }
    });
  }
  if (about === undefined) throw new ParityError('file-corrupt', `${path} is empty`);
  for (const name of events.flatMap(variablesOf)) {
    if (name === 'authority' || variables.has(name)) continue;
    throw new ParityError('file-corrupt', `${path}: the variable {{${name}}} is used and not declared`);
  }
  return { ...about, variables, exchanges: exchangesOf(events) };
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
