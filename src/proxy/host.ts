import { readFileSync } from 'node:fs';
import { arch, release } from 'node:os';

/**
 * What the official client would report about this machine, by variable name of the golden: the system in the user
 * agent, such as "Debian 12.0.0; x86_64", and the sandbox (measured: codex 0.169.0 on Linux).
 */
export function hostTexts(installation?: string): Map<string, string> {
  const texts = new Map([
    ['user_agent', `${system()}; ${process.arch === 'x64' ? 'x86_64' : arch()}`],
    ['sandbox', sandboxes[process.platform] ?? 'none'],
  ]);
  if (installation !== undefined) texts.set('installation_id', installation);
  return texts;
}

const sandboxes: NodeJS.Dict<string> = { linux: 'seccomp', darwin: 'seatbelt', win32: 'windows_sandbox' };

/** Name and version of the operating system, as in the official client's user agent. */
function system(): string {
  if (process.platform === 'darwin') return `Mac OS ${release()}`;
  if (process.platform === 'win32') return `Windows ${release()}`;
  try {
    const text = readFileSync('/etc/os-release', 'utf8');
    const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(text)?.[1] ?? '';
    const [name = 'Linux'] = field('NAME').split(/[ /]/);
    const version = field('VERSION_ID').split('.');
    return `${name} ${[0, 1, 2].map((at) => Number(version[at] ?? 0)).join('.')}`;
  } catch {
    return `Linux ${release().replace(/-.*/, '')}`;
  }
}
