import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ParityError } from '../errors.ts';
import { writeWhole } from '../files.ts';
import { decodeClientHello } from '../trace/codec.ts';
import { closingLine, decodeLine, headerLine, readLines } from '../trace/line-file.ts';
import { type ClientHello, clientHelloLists } from '../wire/client-hello.ts';
import { jsonObject, printJson, toNode } from '../wire/json.ts';
import { Fields } from '../wire/json-fields.ts';
import type { Golden } from './golden.ts';
import type { Exchange } from './trace/exchanges.ts';
import { requestHeader } from './trace/threads.ts';

/** The kinds of connections for model requests. The official client uses another TLS library, or other settings, for each. */
const kinds = ['websocket', 'http'] as const;
type ConnectionKind = (typeof kinds)[number];

/** How a version of the official client begins its TLS handshakes, by the kind of connection. */
export type ClientHellos = Readonly<Partial<Record<ConnectionKind, ClientHello>>>;

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
      return [fields.oneOf('connection', kinds), decodeClientHello(fields)] as const;
    }),
  );
  return Object.fromEntries(hellos);
}

/** The same from the first of several folders that has them. Throws ParityError `no-golden` if none has. */
export function findClientHellos(folders: readonly string[], codex: string): ClientHellos {
  for (const folder of folders) {
    const hellos = readClientHellos(folder, codex);
    if (hellos !== undefined) return hellos;
  }
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
  const lines = kinds.flatMap((connection) => {
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
    return hello === undefined ? [] : [{ kind: kindOf(exchange), hello }];
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

/** A golden whose connections have the ClientHellos of its version, so that those of a trace are compared with them. */
export function withClientHellos(golden: Golden, hellos: ClientHellos): Golden {
  const exchanges = golden.exchanges.map((exchange): Exchange => {
    const hello = hellos[kindOf(exchange)];
    const { tls } = exchange.connection;
    if (!tls || hello === undefined) return exchange;
    return { ...exchange, connection: { ...exchange.connection, tls: { ...tls, hello } } };
  });
  return { ...golden, exchanges };
}

/** Whether the ClientHellos of a trace are compared with those of a golden. */
export function hasClientHellos({ exchanges }: Golden): boolean {
  return exchanges.some(({ connection }) => connection.tls?.hello !== undefined);
}

function kindOf({ request }: Exchange): ConnectionKind {
  return requestHeader(request, /^upgrade$/i) === undefined ? 'http' : 'websocket';
}
