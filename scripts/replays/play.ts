import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startReplayBackend } from '../../src/backend/replay-backend.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import type { Golden } from '../../src/golden/golden.ts';
import { exchangesOf } from '../../src/golden/trace/exchanges.ts';
import { recordReplay } from '../../src/record/record-replay.ts';
import { findingText } from '../../src/report/text.ts';
import { readTrace } from '../../src/trace/trace.ts';

/** Milliseconds that a replay may take. */
const timeLimit = 60_000;

/**
 * Plays both sides of a golden against each other, both varied by the seed if there is one. Returns what is wrong with the
 * trace that was written: why the replay stopped, and each finding.
 */
export async function playBothSides(golden: Golden, vary: number | undefined): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-replay-'));
  const out = join(folder, 'replay.trace.jsonl');
  const problems: string[] = [];
  const backend = await startReplayBackend({ golden, vary });
  try {
    const outcome = await recordReplay({
      golden,
      server: new URL(backend.origin),
      out,
      vary,
      signal: AbortSignal.timeout(timeLimit),
      onProblem: (problem) => problems.push(problem),
    });
    if (!outcome.finished) problems.push(outcome.reason);
    const exchanges = exchangesOf(readTrace(out).events);
    // The comparison accepts either version of HTTP: the server chooses it.
    const [recorded, played] = [golden.exchanges, exchanges].map((all) =>
      all.map(({ request }) => request.version ?? '1.1').join(', '),
    );
    if (recorded !== played) problems.push(`recorded over HTTP/${recorded}, played over HTTP/${played}`);
    const findings = parityFindings(golden, exchanges);
    return [...problems, ...findings.map((finding) => findingText(golden.scenario, finding))];
  } finally {
    await backend.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
