import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { defaultAuthorityFolder, openCertificateAuthority } from '../../src/tap/certificate-authority.ts';
import { createAuthority, createLeaf } from '../../src/tap/certificates.ts';

const folders: string[] = [];

async function newFolder(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'authority-'));
  folders.push(parent);
  return join(parent, 'state', 'ca');
}

afterEach(async () => {
  vi.useRealTimers();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

it.skipIf(process.platform === 'win32')('makes the key readable by its owner only', async () => {
  const folder = await newFolder();
  const { certificatePath } = await openCertificateAuthority(folder);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(join(folder, 'authority.pem'))).mode & 0o777).toBe(0o600);
  expect(await readFile(certificatePath, 'utf8')).not.toContain('PRIVATE');
});

it('opens the same authority again', async () => {
  const folder = await newFolder();
  const first = await openCertificateAuthority(folder);
  const second = await openCertificateAuthority(folder);
  expect(second.certificate).toBe(first.certificate);
  expect(await readFile(second.certificatePath, 'utf8')).toBe(first.certificate);
});

it('creates one authority for concurrent callers, and leaves no temporary files', async () => {
  const folder = await newFolder();
  const opened = await Promise.all(Array.from({ length: 8 }, () => openCertificateAuthority(folder)));
  const inFile = await readFile(join(folder, 'ca.pem'), 'utf8');
  expect(new Set([...opened.map(({ certificate }) => certificate), inFile]).size).toBe(1);
  expect((await readdir(folder)).sort()).toEqual(['authority.pem', 'ca.pem']);
});

it('does not replace an authority whose key does not match its certificate', async () => {
  const folder = await newFolder();
  await openCertificateAuthority(folder);
  const [first, second] = [await createAuthority(), await createAuthority()];
  const mixed = `${first.key}\n${second.certificate}`;
  await writeFile(join(folder, 'authority.pem'), mixed);
  await expect(openCertificateAuthority(folder)).rejects.toMatchObject({
    code: 'file-corrupt',
    message: /delete the folder/,
  });
  expect(await readFile(join(folder, 'authority.pem'), 'utf8')).toBe(mixed);
});

it('does not replace a file that is not an authority', async () => {
  const folder = await newFolder();
  await openCertificateAuthority(folder);
  await writeFile(join(folder, 'authority.pem'), 'not PEM');
  await expect(openCertificateAuthority(folder)).rejects.toMatchObject({ code: 'file-corrupt' });
});

it('rejects an expired authority', async () => {
  const folder = await newFolder();
  await openCertificateAuthority(folder);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 11 * 365 * 24 * 3600 * 1000 });
  await expect(openCertificateAuthority(folder)).rejects.toMatchObject({
    code: 'file-corrupt',
    message: /expired on/,
  });
});

it('rejects a folder that cannot be created', async () => {
  const folder = await newFolder();
  await openCertificateAuthority(folder);
  const insideFile = join(folder, 'ca.pem', 'deeper');
  await expect(openCertificateAuthority(insideFile)).rejects.toMatchObject({ code: 'file-unreadable' });
});

it('creates one TLS context for each host', async () => {
  const authority = await openCertificateAuthority(await newFolder());
  const first = await authority.contextFor('chatgpt.com');
  expect(await authority.contextFor('chatgpt.com')).toBe(first);
  expect(await authority.contextFor('api.openai.com')).not.toBe(first);
});

it('signs a leaf for one host that can serve but not sign', async () => {
  const authority = await createAuthority();
  const root = new X509Certificate(authority.certificate);
  const leaf = new X509Certificate(
    (await createLeaf('chatgpt.com', authority.certificate, createPrivateKey(authority.key))).certificate,
  );
  expect(root.ca).toBe(true);
  expect(leaf.ca).toBe(false);
  expect(leaf.checkIssued(root)).toBe(true);
  expect(leaf.verify(root.publicKey)).toBe(true);
  expect(leaf.checkHost('chatgpt.com')).toBe('chatgpt.com');
  expect(leaf.checkHost('evil.example')).toBeUndefined();
  expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  expect(leaf.validFromDate.getTime()).toBeLessThan(Date.now() - 23 * 3600 * 1000);
});

it('signs a leaf for an IP address', async () => {
  const authority = await createAuthority();
  const leaf = new X509Certificate(
    (await createLeaf('127.0.0.1', authority.certificate, createPrivateKey(authority.key))).certificate,
  );
  expect(leaf.checkIP('127.0.0.1')).toBe('127.0.0.1');
});

it('uses the state folder of the system by default', () => {
  const home = { HOME: '/home/me' };
  expect(defaultAuthorityFolder({ ...home, XDG_STATE_HOME: '/state' }, 'linux')).toBe(
    '/state/codex-parity/ca',
  );
  expect(defaultAuthorityFolder({ ...home, XDG_STATE_HOME: 'relative' }, 'linux')).toBe(
    '/home/me/.local/state/codex-parity/ca',
  );
  expect(defaultAuthorityFolder(home, 'darwin')).toBe('/home/me/Library/Application Support/codex-parity/ca');
  expect(defaultAuthorityFolder({ LOCALAPPDATA: '/local' }, 'win32')).toBe('/local/codex-parity/ca');
});
