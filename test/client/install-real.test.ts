import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { installOfficialClient } from '../../src/client/install/install.ts';
import { installedClients } from '../../src/client/install/installed.ts';
import { temporaryFolder } from './temporary-folder.ts';

// The smallest measured client: 160 MB.
const version = '0.118.0';

it('makes one good install when two run at once, and repairs a broken one', async () => {
  const cache = await temporaryFolder();

  const [a, b] = await Promise.all([
    installOfficialClient(version, { cache }),
    installOfficialClient(version, { cache }),
  ]);

  expect(a).toEqual(b);
  expect(await readdir(cache)).toEqual([version]);
  expect(await installedClients(cache)).toEqual([a]);

  const steps: string[] = [];
  const onProgress = (step: string) => steps.push(step);
  expect(await installOfficialClient(version, { cache, onProgress })).toEqual(a);
  expect(steps).toEqual([]);

  await rm(join(cache, version, 'node_modules', '@openai', 'codex', 'bin'), { recursive: true });
  await writeFile(join(cache, version, 'leftover'), '');
  expect(await installOfficialClient(version, { cache, onProgress })).toEqual(a);
  expect(steps[0]).toBe('installing Codex 0.118.0 with npm');
  expect(await readdir(cache)).toEqual([version]);
});
