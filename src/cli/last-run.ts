import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ParityError } from '../errors.ts';
import { readWhole, writeWhole } from '../files.ts';
import type { GoldenId } from '../golden/golden.ts';
import { fails, strictGate } from '../report/gate.ts';
import type { Report } from '../report/report.ts';
import { parseWith } from '../schema.ts';
import { progress } from './progress.ts';

/** The state of the last check, for `--last-failed`. */
export const lastRunFile = join('.codex-parity', 'last-run.json');

/** The largest file that is read. */
const maximumBytes = 2 ** 22;

const cell = z.strictObject({ codex: z.string(), lane: z.string(), scenario: z.string() });

const lastRunSchema = z.strictObject({
  format: z.literal('codex-parity/last-run'),
  version: z.literal(1),
  subject: z.string(),
  driver: z.string(),
  /** The scenarios that failed. */
  failed: z.array(cell),
});

/** What a check is of. Its scenarios have their lane. */
type CheckId = { readonly subject: string; readonly driver: string };

/** The scenarios that failed in the last check of a subject. Throws ParityError if there was no such check, or none failed. */
export function lastFailed({ subject, driver }: CheckId): readonly GoldenId[] {
  if (!existsSync(lastRunFile))
    throw new ParityError('usage', `there is no ${lastRunFile} here: run check without --last-failed first`);
  const { data } = parsed();
  if (data === undefined)
    throw new ParityError('file-corrupt', `${lastRunFile} is damaged: run check without --last-failed first`);
  if (data.subject !== subject || data.driver !== driver) {
    throw new ParityError(
      'usage',
      `the last check was of ${data.subject} with driver ${data.driver}: run check without --last-failed first`,
    );
  }
  if (data.failed.length > 0) return data.failed;
  throw new ParityError('usage', 'no scenario failed in the last check: run check without --last-failed');
}

function parsed(): { readonly data?: z.infer<typeof lastRunSchema> } {
  try {
    const result = parseWith(lastRunSchema, JSON.parse(readWhole(lastRunFile, maximumBytes).toString()));
    return result.ok ? { data: result.data } : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** Writes which scenarios failed. `left` are those that failed earlier, and were to be played again. */
export function rememberRun(
  { subject, driver, scenarios, gate = strictGate }: Report,
  left: readonly GoldenId[],
): void {
  const played = scenarios.filter(({ verdict }) => verdict.type !== 'not checked');
  const ids = [
    ...played.filter((scenario) => fails(scenario, gate)),
    ...left.filter((id) => !played.some((scenario) => isSame(scenario, id))),
  ];
  const failed = ids.map(({ codex, lane, scenario }) => ({ codex, lane, scenario }));
  try {
    writeWhole(
      lastRunFile,
      `${JSON.stringify({ format: 'codex-parity/last-run', version: 1, subject, driver, failed })}\n`,
    );
  } catch (error) {
    if (!(error instanceof ParityError)) throw error;
    progress(`${error.message}; --last-failed will not work`);
  }
}

export function isSame(a: GoldenId, b: GoldenId): boolean {
  return a.codex === b.codex && a.lane === b.lane && a.scenario === b.scenario;
}
