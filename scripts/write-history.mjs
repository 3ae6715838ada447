// Writes docs/history.md from the committed goldens.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const repository = join(import.meta.dirname, '..');
const command = [join(repository, 'src/cli/main.ts'), 'drift', '--since', '0.118.0', '--format', 'markdown'];
const history = execFileSync(process.execPath, command, { encoding: 'utf8' });
const introduction = `# History of the protocol

What changed from version to version, by the goldens in \`traces/\`. Written by \`npm run history\`; do not edit.
\`<version>\` stands for the version's own number, \`<uuid7>\` and the like for a value of that kind, \`input[]\` for any item of \`input\`, and \`input[TYPE]\` and \`tools[NAME]\` for a whole item or tool.
Scenarios are named where a change does not show in all of them; over HTTP are those that use it from the start or fall back to it.

`;
writeFileSync(join(repository, 'docs/history.md'), introduction + history);
