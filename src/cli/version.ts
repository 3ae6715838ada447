import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The version of this program. */
export function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8'),
  );
  return manifest.version;
}
