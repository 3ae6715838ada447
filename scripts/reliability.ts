// Lets the backend of the bundled proxy fail at every step of the core scenarios, and writes what clients see to
// docs/reliability.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { coreScenarios, runFaultChecks } from '../src/check/faults/run-fault-checks.ts';
import { findSubject } from '../src/check/subject.ts';
import { ProgressLine } from '../src/cli/progress.ts';
import { bundledGoldens, newestVersion } from '../src/golden/select.ts';
import { faultScreen, faultTables, toleratesFaults } from '../src/report/fault-report.ts';
import { runMain } from './run-main.ts';

await runMain(async () => {
  // It takes none, and says so.
  parseArgs({ options: {} });
  const line = new ProgressLine();
  const codex = newestVersion([bundledGoldens]);
  const run = await runFaultChecks({
    subject: findSubject('bundled', import.meta.dirname),
    ...{ lane: 'chatgpt', goldens: [bundledGoldens] },
    ...{ codex, scenarios: coreScenarios, backendPort: 0, timeLimit: 30_000 },
    signal: new AbortController().signal,
    onProgress: line.show,
  }).finally(() => line.clear());
  const report = { subject: 'bundled', codex, lane: 'chatgpt', ...run };
  const path = join(import.meta.dirname, '..', 'docs', 'reliability.md');
  const section = `<!-- faults -->\n\n${faultScreen(report)}\n${faultTables(report)}\n\n<!-- end of faults -->`;
  const text = readFileSync(path, 'utf8').replace(/<!-- faults -->.*<!-- end of faults -->/s, section);
  writeFileSync(path, text);
  process.stdout.write(faultScreen(report));
  return toleratesFaults(report) ? 0 : 1;
});
