import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ParityError } from '../errors.ts';
import { writeWhole } from '../files.ts';
import { decodeClientHello } from '../trace/codec.ts';
import { closingLine, decodeLine, headerLine, readLines } from '../trace/line-file.ts';
import { type ClientHello, clientHelloLists } from '../wire/client-hello.ts';
import { jsonObject, printJson, toNode } from '../wire/json.ts';
import { Fields } from '../wire/json-fields.ts';
import { type ClientHellos, type ConnectionKind, connectionKinds } from './golden.ts';
import { connectionKind, type Exchange } from './trace/exchanges.ts';

/** `traces/<version>/client-hello.jsonl` */
export function helloPath(folder: string, codex: string): string {
  return join(folder, codex, 'client-hello.jsonl');
}

/** The ClientHellos of a version; undefined if none were recorded. Throws ParityError for a file that is not valid. */
export function readClientHellos(folder: string, codex: string): ClientHellos | undefined {
  const path = helloPath(folder, codex);
  if (!existsSync(path)) return undefined;
  const hellos = [...readLines(path, 'client-hello')].slice(1).map((line) =>
    decodeLine(path, line, (node) => {
      const fields = new Fields(node);
      return [fields.oneOf('connection', connectionKinds), decodeClientHello(fields)] as const;
    }),
  );
  return Object.fromEntries(hellos);
}

/**
 * The same from several folders: of a kind of connection in several of them, the first is used. Throws ParityError `no-golden`
 * if none has any.
 */
export function findClientHellos(folders: readonly string[], codex: string): ClientHellos {
  const found = folders.toReversed().flatMap((folder) => readClientHellos(folder, codex) ?? []);
  if (found.length > 0) return Object.assign({}, ...found);
  throw new ParityError(
    'no-golden',
    `no TLS handshake of codex ${codex} is recorded: record it with "codex-parity record --codex ${codex} --scenario fast,http-fallback"`,
  );
}

/** Writes the ClientHellos of a version. Those of a kind that was not recorded stay. Returns the path if the file changed. */
export function writeClientHellos(folder: string, codex: string, recorded: ClientHellos): string | undefined {
  const path = helloPath(folder, codex);
  const known = readClientHellos(folder, codex);
  const [before, after] = [known ?? {}, { ...known, ...recorded }].map((hellos) => printed(codex, hellos));
  if (before === after) return undefined;
  writeWhole(path, after ?? '');
  return path;
}

function printed(codex: string, hellos: ClientHellos): string {
  const lines = connectionKinds.flatMap((connection) => {
    const hello = hellos[connection];
    if (hello === undefined) return [];
    const { ja4, anyOrder, ...lists } = hello;
    const members = Object.fromEntries(clientHelloLists.map((list) => [list, toNode(lists[list])]));
    return [`${printJson(jsonObject({ connection, ...members, anyOrder, ja4 }))}\n`];
  });
  return headerLine('client-hello', { codex }) + lines.join('') + closingLine;
}

/**
 * The ClientHellos of several recordings. Throws ParityError `runs-disagree` if they differ in more than the order of
 * their extensions.
 */
export function learnClientHellos(runs: readonly (readonly Exchange[])[]): ClientHellos {
  const sent = runs.flat().flatMap((exchange) => {
    const hello = exchange.connection.tls?.hello;
    return hello === undefined ? [] : [{ kind: connectionKind(exchange.request), hello }];
  });
  const groups = Map.groupBy(sent, ({ kind }) => kind);
  return Object.fromEntries(
    [...groups].map(([kind, group]) => [
      kind,
      learned(
        kind,
        group.map(({ hello }) => hello),
      ),
    ]),
  );
}

function learned(kind: ConnectionKind, hellos: readonly ClientHello[]): ClientHello {
  const [first] = hellos;
  if (first === undefined) throw new RangeError('nothing to learn from');
  const differ = (list: (hello: ClientHello) => readonly string[]) =>
    new Set(hellos.map((hello) => list(hello).join(' '))).size > 1;
  for (const name of clientHelloLists) {
    if (differ((hello) => (name === 'extensions' ? hello[name].toSorted() : hello[name])))
      throw new ParityError('runs-disagree', `TLS ${name} of ${kind} connections differ between recordings`);
  }
  if (!differ(({ extensions }) => extensions)) return first;
  return { ...first, extensions: first.extensions.toSorted(), anyOrder: true };
}
