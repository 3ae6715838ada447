import { readFileSync, type StatSyncOptions, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { Account } from '../../../src/proxy/sign-in/account.ts';
import { authFile, endpointAt } from './endpoint.ts';

/** The resolution of times on FAT, in milliseconds. */
const tick = 2000;

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const statSync = (path: string, options?: StatSyncOptions) => {
    const stat = fs.statSync(path, { ...options, bigint: false });
    if (stat === undefined) return undefined;
    const coarse = (time: number) => time - (time % tick);
    return Object.assign(stat, { mtimeMs: coarse(stat.mtimeMs), ctimeMs: coarse(stat.ctimeMs) });
  };
  return { ...fs, statSync };
});

it('reads a file again that changed within one tick of a coarse clock without changing its length', async () => {
  // Start shortly after a tick begins: the clock for files differs slightly from the process's.
  await delay(tick - (Date.now() % tick) + 50);
  const path = authFile(3600);
  await delay(300);
  const account = new Account(path, endpointAt(1));
  const { accessToken } = await account.current();
  writeFileSync(path, readFileSync(path, 'utf8').replace('account-0', 'account-1'));
  expect(await account.current()).toMatchObject({ accessToken, accountId: 'account-1' });
});
