import { access, readdir } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { installOfficialClient } from '../../src/client/install/install.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Listens on loopback for one test, and returns the URL for npm. */
async function registry(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening');
  return `http://127.0.0.1:${address.port}/`;
}

it.each(['latest', 'v0.118.0', '0.118', '>=0.118.0', '../0.118.0', ''])(
  'rejects %j, which is not a version, without running npm',
  async (version) => {
    const cache = join(await temporaryFolder(), 'clients');

    await expect(installOfficialClient(version, { cache })).rejects.toMatchObject({
      code: 'unknown-version',
      message: `Codex ${JSON.stringify(version)} is not a version. List the released versions with: npm view @openai/codex versions`,
    });
    await expect(access(cache)).rejects.toThrow();
  },
);

it('names the registry when the package is missing there', async () => {
  const cache = await temporaryFolder();
  const url = await registry(createHttpServer((_, response) => response.writeHead(404).end('{}')));

  await expect(installOfficialClient('0.118.0', { cache, registry: url })).rejects.toMatchObject({
    code: 'unknown-version',
    message: `Codex "0.118.0" is not in the registry ${url}. List the released versions with: npm view @openai/codex versions`,
  });
  expect(await readdir(cache)).toEqual([]);
});

it('reports a missing version of an existing package', async () => {
  const cache = await temporaryFolder();
  const known = { name: '@openai/codex', 'dist-tags': { latest: '0.1.0' }, versions: { '0.1.0': {} } };
  const url = await registry(
    createHttpServer((_, response) => response.writeHead(200).end(JSON.stringify(known))),
  );

  await expect(installOfficialClient('99.0.0', { cache, registry: url })).rejects.toMatchObject({
    code: 'unknown-version',
  });
});

it('fails when the registry does not respond', async () => {
  const cache = await temporaryFolder();
  const url = await registry(createServer());

  await expect(
    installOfficialClient('0.118.0', { cache, registry: url, registryTimeoutMs: 100 }),
  ).rejects.toMatchObject({ code: 'registry-silent', message: expect.stringContaining(url) });
  expect(await readdir(cache)).toEqual([]);
});

it('fails when the registry cannot be reached', async () => {
  const cache = await temporaryFolder();
  const server = createServer();
  const url = await registry(server);
  server.close();

  await expect(installOfficialClient('0.118.0', { cache, registry: url })).rejects.toMatchObject({
    code: 'registry-silent',
    message: expect.stringContaining(`${url} did not respond (ECONNREFUSED)`),
  });
});

it('leaves nothing behind when it is interrupted', async () => {
  const cache = await temporaryFolder();
  const stop = new AbortController();
  // The request shows that npm runs. It then waits for a response.
  const url = await registry(createServer(() => stop.abort()));

  await expect(
    installOfficialClient('0.118.0', { cache, registry: url, signal: stop.signal }),
  ).rejects.toMatchObject({ code: 'interrupted' });
  expect(await readdir(cache)).toEqual([]);
});
