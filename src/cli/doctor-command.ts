import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { defaultClientCache, installedClients } from '../client/install/installed.ts';
import { pingRegistry } from '../client/install/npm.ts';
import { listGoldens } from '../golden/file.ts';
import { bundledGoldens } from '../golden/select.ts';
import { table } from '../report/text.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../tap/certificate-authority.ts';
import type { CommandContext } from './command-context.ts';

type DoctorCheck = { readonly what: string; readonly ok: boolean; readonly detail: string };

export function doctorCommand({ signal, exit }: CommandContext): CommandModule {
  return {
    command: 'doctor',
    describe: 'Check the installation: Node.js, npm registry, clients, certificate authority, goldens',
    builder: (yargs) => yargs.epilogue('Exit codes: 0 everything is in order, 2 something is wrong.'),
    handler: async () => {
      const checks = [node(), await registry(signal), await clients(), await authority(), goldens()];
      const rows = checks.map(({ what, ok, detail }) => [ok ? 'ok' : 'wrong', what, detail]);
      process.stdout.write(`${table(rows)}\n`);
      if (checks.some(({ ok }) => !ok)) exit(2);
    },
  };
}

function node(): DoctorCheck {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 22 || (major === 22 && minor >= 19);
  return { what: 'node', ok, detail: ok ? process.version : `${process.version}: update to 22.19 or later` };
}

async function registry(signal: AbortSignal): Promise<DoctorCheck> {
  const { url, ok, detail } = await pingRegistry(signal);
  return { what: 'registry', ok, detail: `${url}: ${detail}` };
}

async function clients(): Promise<DoctorCheck> {
  const cache = defaultClientCache(process.env);
  const versions = (await installedClients(cache)).map(({ version }) => version);
  const detail = versions.length === 0 ? 'none installed; installed when needed' : versions.join(', ');
  return { what: 'official clients', ok: true, detail: `${cache}: ${detail}` };
}

async function authority(): Promise<DoctorCheck> {
  const folder = defaultAuthorityFolder();
  const what = 'certificate authority';
  if (!existsSync(join(folder, 'ca.pem')))
    return { what, ok: true, detail: `${folder}: created on first use` };
  try {
    return { what, ok: true, detail: (await openCertificateAuthority(folder)).certificatePath };
  } catch (error) {
    return { what, ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

function goldens(): DoctorCheck {
  const all = listGoldens(bundledGoldens);
  const versions = [...new Set(all.map(({ codex }) => codex))];
  const ok = all.length > 0;
  return {
    what: 'goldens',
    ok,
    detail: ok ? `${all.length} goldens of codex ${versions.join(', ')}` : `none in ${bundledGoldens}`,
  };
}
