import { appendFileSync } from 'node:fs';
import { ParityError } from '../errors.ts';
import { mustBeWritable, writeWhole } from '../files.ts';
import { didYouMean } from '../suggestion.ts';
import { firstScreen, plainScreen, type Screen } from './first-screen.ts';
import { jsonReport } from './json.ts';
import type { Report } from './report.ts';
import { textReport } from './text.ts';

/** How a text report is written. */
export type TextStyle = {
  /** Every place instead of the first screen. */
  readonly verbose: boolean;
  /** What standard output is. Files have no colours. */
  readonly screen: Screen;
  /** The file of the HTML report, if one is written. */
  readonly page?: string;
};

const formats: Readonly<Record<string, (report: Report, style: TextStyle) => string | Promise<string>>> = {
  text: (report, { verbose, screen, page }) =>
    verbose ? textReport(report) : firstScreen(report, screen, page),
  json: jsonReport,
  junit: async (report) => (await import('./junit.ts')).junitReport(report),
  github: async (report) => (await import('./github.ts')).githubReport(report),
  ctrf: async (report) => (await import('./ctrf.ts')).ctrfReport(report),
  html: async (report) => (await import('./html.ts')).htmlReport(report),
};

/** The formats that `--report` takes. */
export const reportFormats: readonly string[] = Object.keys(formats);

export type ReportRequest = { readonly format: string; readonly file: string };

/** A report goes to standard output where its file is this. */
export const standardOutput = '-';

/**
 * Reads each `FORMAT=FILE`. Throws ParityError for anything else, for a file that cannot be written, and for one that
 * is named twice.
 */
export function parseReportRequests(texts: readonly string[]): ReportRequest[] {
  const requests = texts.map(parseReportRequest);
  const files = requests.map(({ file }) => file).filter((file) => file !== standardOutput);
  for (const [at, file] of files.entries()) {
    mustBeWritable(file);
    if (files.indexOf(file) === at) continue;
    throw new ParityError('usage', `--report names ${file} twice: give each report a file of its own`);
  }
  return requests;
}

function parseReportRequest(text: string): ReportRequest {
  const [, format = '', file = ''] = /^([^=]*)=(.+)$/.exec(text) ?? [];
  if (Object.hasOwn(formats, format)) return { format, file };
  const advice = didYouMean(format, reportFormats).trim();
  throw new ParityError(
    'usage',
    `--report "${text}" must be FORMAT=FILE with a format of ${reportFormats.join(', ')}${advice === '' ? '' : `: ${advice}`}`,
  );
}

/** Whether a format shows the traffic of scenarios. */
export function showsTraffic({ format }: ReportRequest): boolean {
  return format === 'html';
}

export async function writeReport(
  report: Report,
  { format, file }: ReportRequest,
  style: TextStyle,
): Promise<void> {
  const isFile = file !== standardOutput;
  const text = (await formats[format]?.(report, isFile ? { ...style, screen: plainScreen } : style)) ?? '';
  if (!isFile) process.stdout.write(text);
  else writeWhole(file, text);
  const summary = process.env.GITHUB_STEP_SUMMARY;
  if (format === 'github' && summary !== undefined && summary !== '')
    appendFileSync(summary, (await import('./github.ts')).githubSummary(report));
}
