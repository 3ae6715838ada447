import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ParityError } from '../errors.ts';
import { githubReport } from './github.ts';
import { jsonReport } from './json.ts';
import { junitReport } from './junit.ts';
import type { Report } from './report.ts';
import { textReport } from './text.ts';

const formats: Readonly<Record<string, (report: Report) => string>> = {
  text: textReport,
  json: jsonReport,
  junit: junitReport,
  github: githubReport,
};

export type ReportRequest = { readonly format: string; readonly file: string };

/** Reads `FORMAT=FILE`; `-` for the file is standard output. Throws ParityError for anything else. */
export function parseReportRequest(text: string): ReportRequest {
  const [, format = '', file = ''] = /^([^=]*)=(.+)$/.exec(text) ?? [];
  if (Object.hasOwn(formats, format)) return { format, file };
  throw new ParityError(
    'usage',
    `--report "${text}" must be FORMAT=FILE with a format of ${Object.keys(formats).join(', ')}`,
  );
}

export function writeReport(report: Report, { format, file }: ReportRequest): void {
  const text = formats[format]?.(report) ?? '';
  if (file === '-') {
    process.stdout.write(text);
    return;
  }
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ParityError('usage', `cannot write the ${format} report: ${reason}`);
  }
}
