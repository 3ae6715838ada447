import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { defaultClientCache, installedClients } from '../../src/client/install/installed.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Writes the files of a client into a cache, without its program. */
async function place(cache: string, folder: string, version: string): Promise<void> {
  const home = join(cache, folder, 'node_modules', '@openai', 'codex');
  await mkdir(join(home, 'bin'), { recursive: true });
  await writeFile(join(home, 'bin', 'codex.js'), '');
  await writeFile(join(home, 'package.json'), JSON.stringify({ name: '@openai/codex', version }));
}

it('lists the clients in a cache, oldest first', async () => {
  const cache = await temporaryFolder();
  for (const version of ['0.118.0', '0.9.0', '0.169.0']) await place(cache, version, version);

  const clients = await installedClients(cache);

  expect(clients.map(({ version }) => version)).toEqual(['0.9.0', '0.118.0', '0.169.0']);
  expect(clients[0]?.command).toEqual([
    process.execPath,
    join(cache, '0.9.0', 'node_modules', '@openai', 'codex', 'bin', 'codex.js'),
  ]);
});

it('ignores unfinished and incomplete installs, and those with the wrong version', async () => {
  const cache = await temporaryFolder();
  await place(cache, '.installing-x1y2z3', '0.118.0');
  await place(cache, '0.120.0', '0.121.0');
  await mkdir(join(cache, '0.125.0'));

  expect(await installedClients(cache)).toEqual([]);
});

it('returns none when the cache is missing', async () => {
  expect(await installedClients(join(await temporaryFolder(), 'nowhere'))).toEqual([]);
});

it('keeps clients in the XDG cache, or in ~/.cache', () => {
  expect(defaultClientCache({ XDG_CACHE_HOME: '/caches', HOME: '/home/ada' })).toBe(
    join('/caches', 'codex-parity', 'clients'),
  );
  expect(defaultClientCache({ HOME: '/home/ada' })).toBe(
    join('/home/ada', '.cache', 'codex-parity', 'clients'),
  );
});
