import { createPrivateKey, type KeyObject, randomUUID, X509Certificate } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ParityError, plainReason } from '../errors.ts';
import { makeFolder } from '../files.ts';

/** The certificate authority of this machine, with which the tap stands in for the hosts it intercepts. */
export type CertificateAuthority = {
  /** Path of the file that a client must trust: the certificate as PEM, without the key. */
  readonly certificatePath: string;
  /** The same certificate, PEM. */
  readonly certificate: string;
  /** What to show a client that asks for this host name or IP address; made once for each host. */
  contextFor(host: string): Promise<SecureContext>;
};

/** Where the authority lives unless told otherwise: state of this user on this machine, not configuration. */
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
 * Opens the authority in that folder; makes it on first use, and several processes that do so at once get the same.
 *
 * An authority that is there is never replaced, because clients may have been told to trust it. One that is expired
 * or whose key does not belong to its certificate is a ParityError `file-corrupt` that says what to delete; a folder
 * that cannot be read is `file-unreadable`, one that cannot be written `file-unwritable`.
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
      const known = contexts.get(host);
      if (known !== undefined) return known;
      const made = leafContext(host, certificate, key);
      contexts.set(host, made);
      return made;
    },
  };
}

async function leafContext(host: string, certificate: string, key: KeyObject): Promise<SecureContext> {
  const { createLeaf } = await certificates();
  const leaf = await createLeaf(host, certificate, key);
  return createSecureContext({ cert: leaf.certificate, key: leaf.key, minVersion: 'TLSv1.2' });
}

/** Loaded when a certificate has to be made: loading the library takes longer than all the rest of a start. */
const certificates = () => import('./certificates.ts');

/**
 * Key and certificate share one file, so that no moment shows the one without the other. It is written aside and
 * then linked to its name, which fails where another process was faster: then that process's file counts.
 */
async function readOrCreate(folder: string): Promise<string> {
  const path = join(folder, 'authority.pem');
  const existing = await readIfThere(path);
  if (existing !== undefined) return existing;

  const { createAuthority } = await certificates();
  const { certificate, key } = await createAuthority();
  const aside = join(folder, `.authority-${randomUUID()}`);
  try {
    makeFolder(folder, 0o700);
    await writeFile(aside, `${key}\n${certificate}\n`, { mode: 0o600, flag: 'wx' });
    await link(aside, path).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
  } catch (error) {
    throw new ParityError(
      'file-unwritable',
      `cannot write a certificate authority to ${folder}: ${plainReason(error)}`,
      {
        cause: error,
      },
    );
  } finally {
    await rm(aside, { force: true });
  }
  return (await readIfThere(path)) ?? '';
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw new ParityError('file-unreadable', `cannot read ${path}: ${plainReason(error)}`, { cause: error });
  }
}

function parse(pem: string, folder: string): { certificate: string; key: KeyObject } {
  const remedy = `delete the folder ${folder} and a new one is made`;
  let certificate: X509Certificate;
  let key: KeyObject;
  try {
    certificate = new X509Certificate(pem);
    key = createPrivateKey(pem);
  } catch (error) {
    throw new ParityError('file-corrupt', `the certificate authority cannot be read: ${remedy}`, {
      cause: error,
    });
  }
  if (!certificate.checkPrivateKey(key)) {
    throw new ParityError(
      'file-corrupt',
      `the key of the certificate authority is not its certificate's: ${remedy}`,
    );
  }
  if (certificate.validToDate.getTime() < Date.now()) {
    throw new ParityError(
      'file-corrupt',
      `the certificate authority expired on ${certificate.validTo}: ${remedy}`,
    );
  }
  return { certificate: certificate.toString(), key };
}

/** Writes the certificate alone, for clients to read; always the same text, so that it does not matter who is last. */
async function publish(certificate: string, path: string): Promise<void> {
  if ((await readIfThere(path)) === certificate) return;
  const aside = `${path}-${randomUUID()}`;
  try {
    await writeFile(aside, certificate, { mode: 0o644 });
    await rename(aside, path);
  } catch (error) {
    throw new ParityError('file-unwritable', `cannot write ${path}: ${plainReason(error)}`, { cause: error });
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
