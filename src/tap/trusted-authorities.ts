import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import type { CertificateAuthority } from './certificate-authority.ts';

/** Variables that name a file of authorities which a program trusts besides its own. */
const added = ['CODEX_CA_CERTIFICATE', 'NODE_EXTRA_CA_CERTS'];

/** Variables that name a file of authorities which a program trusts instead of those of the system. */
const replacing = ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'GIT_SSL_CAINFO'];

/**
 * The variables that make Codex, Node, OpenSSL, Python, curl and git trust an authority, in addition to all that they
 * trust in the environment `env`. Writes the files that they name to `folder`.
 */
export function trustingVariables(
  { certificate, certificatePath }: Pick<CertificateAuthority, 'certificate' | 'certificatePath'>,
  folder: string,
  env: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const fileWith = (name: string, others: string) => {
    if (others === '') return certificatePath;
    const path = join(folder, `${name}.pem`);
    writeFileSync(path, `${others.trimEnd()}\n${certificate}\n`);
    return path;
  };
  const system = systemAuthorities();
  return Object.fromEntries([
    ...added.map((name) => [name, fileWith(name, contentOf(env[name]))]),
    ...replacing.map((name) => [name, fileWith(name, contentOf(env[name]) || system)]),
  ]);
}

/** The authorities of the system; those of Node where the system has none. */
function systemAuthorities(): string {
  const system = getCACertificates('system');
  return (system.length > 0 ? system : getCACertificates('bundled')).join('\n');
}

/** The content of a file; empty where a program would find none. */
function contentOf(path: string | undefined): string {
  try {
    return path ? readFileSync(path, 'utf8') : '';
  } catch {
    return '';
  }
}
