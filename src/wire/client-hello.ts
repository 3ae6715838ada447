import { Readable } from 'node:stream';
import {
  CIPHER_SUITES,
  calculateJa4,
  EXTENSIONS,
  getExtensionData,
  isGREASE,
  readTlsClientHello,
  SIGNATURE_ALGORITHMS,
  SUPPORTED_GROUPS,
  TLS_VERSIONS,
  type TlsClientHelloMessage,
} from 'read-tls-client-hello';

/**
 * What a client chooses in its TLS ClientHello, in its order (RFC 8446, section 4.1.2), by the names of IANA's registries.
 * GREASE values (RFC 8701) are named `GREASE`; a value without a name is a hexadecimal number. What belongs to one
 * connection is left out: random values, session id, keys, tickets, server name and padding.
 */
export type ClientHello = {
  readonly versions: readonly string[];
  readonly ciphers: readonly string[];
  readonly groups: readonly string[];
  /** The groups that a key is sent for. */
  readonly keyShares: readonly string[];
  readonly signatures: readonly string[];
  readonly extensions: readonly string[];
  /** In goldens: the extensions come in any order, and are sorted here. */
  readonly anyOrder?: true;
  /** The fingerprint JA4, which does not depend on the order of ciphers and extensions. */
  readonly ja4: string;
};

export const clientHelloLists = [
  'versions',
  'ciphers',
  'groups',
  'keyShares',
  'signatures',
  'extensions',
] as const satisfies readonly (keyof ClientHello)[];

/** Extensions that depend on the connection: on its length, on an earlier session, or on a first answer of the server. */
const ofConnection: ReadonlySet<number> = new Set([21, 41, 42, 44]);

/** Reads the ClientHello in a whole TLS record. Undefined if there is none, or if it is malformed. */
export async function parseClientHello(record: Buffer): Promise<ClientHello | undefined> {
  const stream = Readable.from([record], { objectMode: false });
  const message = await readTlsClientHello(stream).catch(() => undefined);
  if (message === undefined) return undefined;
  const { version, cipherSuites, extensions } = message;
  const kept = extensions.filter(({ id }) => !ofConnection.has(id)).map(({ id }) => id);
  return {
    versions: named(getExtensionData(message, 43)?.versions ?? [version], TLS_VERSIONS),
    ciphers: named(cipherSuites, CIPHER_SUITES),
    groups: named(getExtensionData(message, 10)?.groups, SUPPORTED_GROUPS),
    keyShares: named(
      getExtensionData(message, 51)?.entries?.map(({ group }) => group),
      SUPPORTED_GROUPS,
    ),
    signatures: named(getExtensionData(message, 13)?.algorithms, SIGNATURE_ALGORITHMS),
    extensions: named(kept, EXTENSIONS),
    ja4: ja4Of(message),
  };
}

/** The ALPN protocols that the ClientHello in a whole TLS record offers, in its order. Empty if it offers none. */
export async function offeredProtocols(record: Buffer): Promise<readonly string[]> {
  const stream = Readable.from([record], { objectMode: false });
  const message = await readTlsClientHello(stream).catch(() => undefined);
  return (message && getExtensionData(message, 16)?.protocols) ?? [];
}

/** JA4 of a first connection, so that a later one, which resumes a session, has the same. */
function ja4Of(message: TlsClientHelloMessage): string {
  return calculateJa4({
    ...message,
    extensions: message.extensions.filter(({ id }) => id === 21 || !ofConnection.has(id)),
  });
}

function named(
  values: readonly number[] | undefined,
  names: Readonly<Record<number, string | undefined>>,
): string[] {
  return (values ?? []).map((value) =>
    isGREASE(value) ? 'GREASE' : (names[value] ?? `0x${value.toString(16).padStart(4, '0')}`),
  );
}
