import { createPrivateKey, type KeyObject, randomUUID, X509Certificate } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ParityError, plainReason } from '../errors.ts';
import { makeFolder, unwritable } from '../files.ts';

/** The certificate authority of this machine. The tap uses it to impersonate the hosts it intercepts. */
export type CertificateAuthority = {
  /** Path of the file that a client must trust: the certificate as PEM, without the key. */
  readonly certificatePath: string;
  /** The same certificate, PEM. */
  readonly certificate: string;
  /** The TLS context for a host name or IP address. Created once for each host. */
  contextFor(host: string): Promise<SecureContext>;
};

/** The default folder of the authority. It is state of this user on this machine, not configuration. */
export function defaultAuthorityFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  return join(stateFolder(env, platform), 'codex-parity', 'ca');
}

function stateFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  const { XDG_STATE_HOME: chosen, LOCALAPPDATA: localAppData, HOME: ownHome } = env;
  // The XDG specification says to ignore a relative path.
  if (chosen !== undefined && isAbsolute(chosen)) return chosen;
  const home = ownHome || homedir();
  if (platform === 'win32') return localAppData || join(home, 'AppData', 'Local');
  if (platform === 'darwin') return join(home, 'Library', 'Application Support');
  return join(home, '.local', 'state');
}

/**
 * Opens the authority in a folder. Creates it on first use; processes that do so at the same time get the same one.
 *
 * An existing authority is never replaced, because clients may trust it already. Throws ParityError: `file-corrupt`,
 * naming the folder to delete, when the authority has expired or its key does not match its certificate;
 * `file-unreadable` or `file-unwritable` when the folder cannot be read or written.
 */
export async function openCertificateAuthority(folder: string): Promise<CertificateAuthority> {
  const pem = await readOrCreate(folder);
  const { certificate, key } = parse(pem, folder);
  const certificatePath = join(folder, 'ca.pem');
  await publish(certificate, certificatePath);

  const contexts = new Map<string, Promise<SecureContext>>();
  return {
    certificatePath,
    certificate,
    contextFor(host) {
      const context = contexts.get(host) ?? leafContext(host, certificate, key);
      contexts.set(host, context);
      return context;
    },
  };
}

async function leafContext(host: string, certificate: string, key: KeyObject): Promise<SecureContext> {
  const { createLeaf } = await certificates();
  const leaf = await createLeaf(host, certificate, key);
  return createSecureContext({ cert: leaf.certificate, key: leaf.key, minVersion: 'TLSv1.2' });
}

/** Loaded only to create a certificate: loading the library takes longer than the rest of the start. */
const certificates = () => import('./certificates.ts');

/**
 * Key and certificate share one file, so that neither ever exists without the other. The file is written under a
 * temporary name and then linked. The link fails when another process was faster; then the file of that process is
 * used.
 */
async function readOrCreate(folder: string): Promise<string> {
  const path = join(folder, 'authority.pem');
  const existing = await readIfExists(path);
  if (existing !== undefined) return existing;

  const { createAuthority } = await certificates();
  const { certificate, key } = await createAuthority();
  const temporary = join(folder, `.authority-${randomUUID()}`);
  try {
    makeFolder(folder, 0o700);
    await writeFile(temporary, `${key}\n${certificate}\n`, { mode: 0o600, flag: 'wx' });
    await link(temporary, path).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
  } catch (error) {
    const message = `cannot write a certificate authority to ${folder}: ${plainReason(error)}`;
    throw new ParityError('file-unwritable', message, { cause: error });
  } finally {
    await rm(temporary, { force: true });
  }
  return (await readIfExists(path)) ?? '';
}

async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw new ParityError('file-unreadable', `cannot read ${path}: ${plainReason(error)}`, { cause: error });
  }
}

function parse(pem: string, folder: string): { certificate: string; key: KeyObject } {
  const corrupt = (problem: string, options?: ErrorOptions) => {
    const message = `${problem}: delete the folder ${folder}, and the next run creates a new one`;
    return new ParityError('file-corrupt', message, options);
  };
  let certificate: X509Certificate;
  let key: KeyObject;
  try {
    certificate = new X509Certificate(pem);
    key = createPrivateKey(pem);
  } catch (cause) {
    throw corrupt('cannot read the certificate authority', { cause });
  }
  if (!certificate.checkPrivateKey(key))
    throw corrupt('the key of the certificate authority does not match its certificate');
  if (certificate.validToDate.getTime() < Date.now())
    throw corrupt(`the certificate authority expired on ${certificate.validTo}`);
  return { certificate: certificate.toString(), key };
}

/** Writes the certificate alone, for clients to read. Concurrent writers write the same text. */
async function publish(certificate: string, path: string): Promise<void> {
  if ((await readIfExists(path)) === certificate) return;
  const temporary = `${path}-${randomUUID()}`;
  try {
    await writeFile(temporary, certificate, { mode: 0o644 });
    await rename(temporary, path);
  } catch (error) {
    throw unwritable(path, error);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
