import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const proxy = join(import.meta.dirname, 'message-proxy.ts');

/** A folder of a user, with a proxy that has faults of message-proxy.ts. */
export function greenProject(...faults: readonly string[]) {
  const folder = temporaryFolder();
  const path = (file: string) => join(folder, file);
  const setFaults = (...names: readonly string[]) => {
    const command = [process.execPath, proxy, '{port}', '{upstream}', ...names];
    writeFileSync(path('codex-parity.config.json'), JSON.stringify({ subjects: { mine: { command } } }));
  };
  setFaults(...faults);
  return {
    folder,
    setFaults,
    run: (...args: readonly string[]) => runInProcess(args, { cwd: folder }),
    check: (...args: readonly string[]) =>
      runInProcess(
        [
          'check',
          '--subject',
          'mine',
          '--goldens',
          join(repository, 'traces'),
          '--codex',
          '0.169.0',
          ...args,
        ],
        { cwd: folder },
      ),
    exists: (file: string) => existsSync(path(file)),
    read: (file: string) => readFileSync(path(file), 'utf8'),
    write: (file: string, text: string) => writeFileSync(path(file), text),
  };
}
