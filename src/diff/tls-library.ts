import type { Exchange } from '../golden/trace/exchanges.ts';
import type { ClientHello } from '../wire/client-hello.ts';

const [aes128, aes256, chacha] = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
];

/**
 * The TLS library that a ClientHello looks like, by the order of its ciphers; undefined if it is like none. Measured: codex
 * 0.130.0 to 0.171.0 (rustls), Go 1.26, Node 20 and 24, curl 7.88 and Python 3.11 with OpenSSL 3.0, codex 0.118.0 over
 * HTTP with OpenSSL, Java 17. BoringSSL alone sends GREASE (RFC 8701).
 */
export function tlsLibrary({ ciphers, groups }: ClientHello): string | undefined {
  const [first, second, third, fourth] = ciphers;
  if (ciphers.includes('GREASE') || groups.includes('GREASE')) return 'BoringSSL';
  // Go puts the ciphers of TLS 1.3 last.
  if (first?.startsWith('TLS_ECDHE_') && ciphers.at(-1)?.match(/^TLS_(?:AES|CHACHA20)_/)) return 'Go';
  if (first !== aes256) return undefined;
  if (second === chacha && third === aes128) {
    // Node has a list of its own.
    return fourth === 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256' ? 'Node' : 'OpenSSL';
  }
  if (second !== aes128 || third !== chacha) return undefined;
  return ciphers.some((name) => name.startsWith('TLS_DHE_')) ? 'Java' : 'rustls';
}

/** The libraries that connections look like, without repetition. */
export function tlsLibraries(exchanges: readonly Exchange[]): string[] {
  const hellos = exchanges.flatMap(({ connection }) => connection.tls?.hello ?? []);
  return [...new Set(hellos.map((hello) => tlsLibrary(hello) ?? `an unknown library (JA4 ${hello.ja4})`))];
}
