// The certificate library resolves its parts through reflection and does not load without this polyfill.
import 'reflect-metadata';
import { KeyObject, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

/** A certificate and its private key, both as PEM. */
type CertificateWithKey = { readonly certificate: string; readonly key: string };

const day = 24 * 60 * 60 * 1000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Creates a self-signed certificate authority that may only sign leaves, valid for ten years from yesterday. */
export async function createAuthority(): Promise<CertificateWithKey> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: ['codex-parity certificate authority'] }, { O: ['codex-parity, made on this machine'] }],
    keys,
    signingAlgorithm: algorithm,
    ...validity(3650),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem'), key: pemOf(keys.privateKey) };
}

/**
 * Creates a server certificate for one host name or IP address, signed by the authority, valid for a year from
 * yesterday.
 */
export async function createLeaf(
  host: string,
  authority: string,
  authorityKey: KeyObject,
): Promise<CertificateWithKey> {
  const issuer = new x509.X509Certificate(authority);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: ['codex-parity tap'] }],
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: authorityKey.toCryptoKey(algorithm, false, ['sign']),
    signingAlgorithm: algorithm,
    ...validity(365),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      // Clients match the host against this extension only, and ignore the subject (RFC 9110 §4.3.4).
      new x509.SubjectAlternativeNameExtension([{ type: isIP(host) === 0 ? 'dns' : 'ip', value: host }]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem'), key: pemOf(keys.privateKey) };
}

/** Starts a day ago, for clients whose clock is behind. */
function validity(days: number): { notBefore: Date; notAfter: Date } {
  const notBefore = new Date(Date.now() - day);
  return { notBefore, notAfter: new Date(notBefore.getTime() + days * day) };
}

function pemOf(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}
