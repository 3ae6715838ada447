import { expect, it } from 'vitest';
import { tlsLibrary } from '../../src/diff/tls-library.ts';
import { readClientHellos } from '../../src/golden/client-hello.ts';
import { bundledGoldens } from '../../src/golden/select.ts';
import type { ClientHello } from '../../src/wire/client-hello.ts';

const [aes128, aes256, chacha] = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
];

function looksLike(...ciphers: string[]): string | undefined {
  const lists = { versions: [], groups: [], keyShares: [], signatures: [], extensions: [] };
  return tlsLibrary({ ...lists, ciphers, ja4: '' } satisfies ClientHello);
}

it('knows the libraries of the official client', () => {
  const library = (codex: string, kind: 'websocket' | 'http') => {
    const hello = readClientHellos(bundledGoldens, codex)?.[kind];
    return hello && tlsLibrary(hello);
  };
  expect(library('0.118.0', 'http')).toBe('OpenSSL');
  expect(library('0.118.0', 'websocket')).toBe('rustls');
  expect(library('0.130.0', 'http')).toBe('rustls');
  expect(library('0.171.0', 'http')).toBe('rustls');
});

it('knows other libraries by the order of their ciphers', () => {
  expect(looksLike('TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', aes128, aes256, chacha)).toBe('Go');
  expect(looksLike(aes256, chacha, aes128, 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256')).toBe('Node');
  expect(looksLike(aes256, chacha, aes128, 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384')).toBe('OpenSSL');
  expect(looksLike(aes256, aes128, chacha, 'TLS_DHE_RSA_WITH_AES_256_GCM_SHA384')).toBe('Java');
  expect(looksLike('GREASE', aes128, aes256, chacha)).toBe('BoringSSL');
  expect(looksLike(aes128)).toBeUndefined();
  expect(looksLike()).toBeUndefined();
});
