import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { installOfficialClient } from '../../src/client/install/install.ts';
import { installedClients } from '../../src/client/install/installed.ts';
import { temporaryFolder } from './temporary-folder.ts';

// The smallest of the clients that are measured: 160 MB.
const version = '0.118.0';

it('ends with one good install when two run at once, and mends it when it breaks', async () => {
  const cache = await temporaryFolder();

  const [one, other] = await Promise.all([
    installOfficialClient(version, { cache }),
    installOfficialClient(version, { cache }),
  ]);

  expect(one).toEqual(other);
  expect(await readdir(cache)).toEqual([version]);
  expect(await installedClients(cache)).toEqual([one]);

  const steps: string[] = [];
  const onProgress = (step: string) => steps.push(step);
  expect(await installOfficialClient(version, { cache, onProgress })).toEqual(one);
  expect(steps).toEqual([]);

  await rm(join(cache, version, 'node_modules', '@openai', 'codex', 'bin'), { recursive: true });
  await writeFile(join(cache, version, 'left-over'), '');
  expect(await installOfficialClient(version, { cache, onProgress })).toEqual(one);
  expect(steps[0]).toBe('installing Codex 0.118.0 with npm');
  expect(await readdir(cache)).toEqual([version]);
});
