import { ParityError } from '../errors.ts';
import { readWhole } from '../files.ts';
import { parseWith } from '../schema.ts';
import type { Report } from './report.ts';
import { reportSchema } from './report-schema.ts';

/** The largest report that is read. */
const maximumBytes = 2 ** 28;

/** Reads a JSON report. Throws ParityError for a file that is missing, or is not a report of this version of the format. */
export function readReport(path: string): Report {
  const document = parsed(path, readWhole(path, maximumBytes).toString());
  const { data, problem } = checked(document);
  if (data === undefined)
    throw new ParityError(
      'file-corrupt',
      `${path}: not a report of check --report json, or of another version of codex-parity: ${problem}`,
    );
  const { format: _, version: _1, parity: _2, passed: _3, causes: _4, scenarios, ...run } = data;
  return {
    ...run,
    scenarios: scenarios.map(({ findings, ...scenario }) => ({
      ...scenario,
      findings: findings.map(({ code: _5, severity: _6, words: _7, ...finding }) => finding),
    })),
  };
}

function checked(document: unknown) {
  const result = parseWith(reportSchema, document);
  return result.ok
    ? { data: result.data, problem: '' }
    : { data: undefined, problem: `${result.path.join('.') || 'the file'} ${result.problem}` };
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ParityError('file-corrupt', `${path}: not valid JSON, perhaps cut off: run the check again`);
  }
}
