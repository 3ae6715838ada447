import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

const script = `
import { createTrace } from '${join(import.meta.dirname, '..', '..', 'src', 'trace', 'trace.ts')}';
const trace = createTrace('out.trace.jsonl', { recorded: 'live' });
for (let n = 1; n < 100; n += 1) trace.write({ type: 'end', connection: n, by: 'client' });
console.log('continued');
try {
  trace.finish();
} catch (error) {
  console.log(error.code, error.message);
}
`;

it.skipIf(process.platform === 'win32')('reports a failed write when it finishes, and not before', () => {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // Limits files to one block: further writes fail as on a full disk.
  const limited = ['-c', 'ulimit -f 1; exec "$0" --input-type=module -e "$1"', process.execPath, script];
  const output = execFileSync('sh', limited, { cwd: folder, encoding: 'utf8' });
  expect(output).toMatch(
    /^continued\nfile-unwritable out\.trace\.jsonl is incomplete \(EFBIG.*\): make room on the disk and record again\n$/,
  );
});
