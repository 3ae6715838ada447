import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  findClientHellos,
  helloPath,
  learnClientHellos,
  readClientHellos,
  writeClientHellos,
} from '../../src/golden/client-hello.ts';
import { listGoldens } from '../../src/golden/file.ts';
import type { Golden } from '../../src/golden/golden.ts';
import { unify } from '../../src/golden/match/unify.ts';
import { bundledGoldens } from '../../src/golden/select.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import { type ClientHello, clientHelloLists } from '../../src/wire/client-hello.ts';
import { temporaryFolder } from '../e2e/cli.ts';
import { committedGolden } from './committed-goldens.ts';

const fast = committedGolden(join(bundledGoldens, '0.171.0', 'chatgpt', 'fast.golden.jsonl'));
const hello: ClientHello = {
  versions: ['TLS 1.3'],
  ciphers: ['A', 'B'],
  groups: ['x25519'],
  keyShares: ['x25519'],
  signatures: ['C', 'D'],
  extensions: ['one', 'two'],
  ja4: 'ja4',
};

/** The exchanges of a scenario, on connections that begin in this way. */
function sent(own: ClientHello): Exchange[] {
  return fast.exchanges.map((exchange) => ({
    ...exchange,
    connection: { ...exchange.connection, tls: { offered: [], chosen: null, hello: own } },
  }));
}

/** The places in the handshake of TLS where exchanges differ from a golden. */
function tlsPlaces(golden: Golden, own: ClientHello): string[] {
  return unify(golden, sent(own))
    .flatMap(({ places }) => places.map(({ path }) => path.join()))
    .filter((path) => path.startsWith('TLS'));
}

it('learns that extensions come in any order, and nothing else', () => {
  const moved = { ...hello, extensions: ['two', 'one'] };
  expect(learnClientHellos([sent(hello), sent(hello)])).toEqual({ websocket: hello });
  expect(learnClientHellos([sent(hello), sent(moved)])).toEqual({
    websocket: { ...hello, anyOrder: true },
  });
  for (const list of clientHelloLists) {
    const other = { ...hello, [list]: [...hello[list], 'more'].toReversed() };
    expect(() => learnClientHellos([sent(hello), sent(other)]), list).toThrow(
      `TLS ${list} of websocket connections differ between recordings`,
    );
  }
});

it('writes what it reads, and keeps the kind of connection that was not recorded', () => {
  const folder = temporaryFolder();
  const path = helloPath(folder, '0.171.0');
  expect(writeClientHellos(folder, '0.171.0', {})).toBeUndefined();
  expect(readClientHellos(folder, '0.171.0')).toBeUndefined();
  expect(writeClientHellos(folder, '0.171.0', { websocket: hello })).toBe(path);
  expect(writeClientHellos(folder, '0.171.0', { websocket: hello })).toBeUndefined();
  const http = { ...hello, anyOrder: true } as const;
  expect(writeClientHellos(folder, '0.171.0', { http })).toBe(path);
  expect(readClientHellos(folder, '0.171.0')).toEqual({ websocket: hello, http });
  writeFileSync(path, readFileSync(path, 'utf8').replace('"groups"', '"group"'));
  expect(() => readClientHellos(folder, '0.171.0')).toThrow(`${path}:2: not valid ("groups" is missing)`);
  expect(() => findClientHellos([temporaryFolder()], '0.171.0')).toThrow(
    'no TLS handshake of codex 0.171.0 is recorded: record it with "codex-parity record --codex 0.171.0',
  );
});

it('has the handshakes of both kinds of connection for every version with goldens', () => {
  for (const codex of new Set(listGoldens(bundledGoldens).map((golden) => golden.codex)))
    expect(Object.keys(readClientHellos(bundledGoldens, codex) ?? {}), codex).toEqual(['websocket', 'http']);
});

it('finds each list that differs at its place, and accepts another order of extensions only where it was learned', () => {
  const places = (expected: ClientHello, actual: ClientHello) =>
    tlsPlaces({ ...fast, hellos: { websocket: expected } }, actual);
  const moved = { ...hello, extensions: ['two', 'one'] };
  expect(places(hello, hello)).toEqual([]);
  expect(places({ ...hello, anyOrder: true }, moved)).toEqual([]);
  expect(places(hello, moved)).toEqual(['TLS extensions']);
  const found = clientHelloLists.map((list) => places(hello, { ...hello, [list]: ['other'] }));
  expect(found).toEqual([
    ['TLS versions'],
    ['TLS ciphers'],
    ['TLS groups'],
    ['TLS key shares'],
    ['TLS signatures'],
    ['TLS extensions'],
  ]);
  // Without the handshakes of the version, nothing is compared.
  expect(tlsPlaces(fast, { ...hello, ciphers: [] })).toEqual([]);
});

it('compares with the handshake of the kind of connection that was used', () => {
  const http = { ...hello, groups: ['other'] };
  const golden = { ...fast, hellos: { websocket: hello, http } };
  const posted = sent(http).map((exchange) => ({
    ...exchange,
    request: { ...exchange.request, headers: [] },
  }));
  const places = unify(golden, posted).flatMap((mismatch) => mismatch.places.map(({ path }) => path.join()));
  expect(places.filter((path) => path.startsWith('TLS'))).toEqual([]);
  expect(tlsPlaces(golden, http)).toEqual(['TLS groups']);
});

it('takes each kind of connection from the first folder that has it', () => {
  const [own, bundled] = [temporaryFolder(), temporaryFolder()];
  const other = { ...hello, groups: ['other'] };
  writeClientHellos(own, '0.171.0', { websocket: hello });
  writeClientHellos(bundled, '0.171.0', { websocket: other, http: other });
  expect(findClientHellos([own, bundled], '0.171.0')).toEqual({ websocket: hello, http: other });
});
