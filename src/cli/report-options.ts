import type { Options } from 'yargs';
import type { Report } from '../report/report.ts';
import { type ReportRequest, reportFormats, standardOutput, writeReport } from '../report/write.ts';
import { terminalScreen } from './terminal-screen.ts';

/** The options of commands that write reports. */
export type ReportOptions = { readonly report: readonly string[]; readonly verbose: boolean };

/** Declares ReportOptions for yargs. */
export const reportOptions = {
  report: {
    requiresArg: true,
    type: 'string',
    array: true,
    default: [] as readonly string[],
    defaultDescription: 'text=-',
    describe: `Report to write, as FORMAT=FILE, with one of the formats ${reportFormats.join(', ')}; FILE "-" is standard output; repeatable`,
  },
  verbose: {
    type: 'boolean',
    default: false,
    describe: 'Print every place of every finding in text reports, instead of the causes',
  },
} as const satisfies Readonly<Record<string, Options>>;

/** The reports to write: text on standard output, unless another one goes there. */
export function withText(requests: readonly ReportRequest[]): readonly ReportRequest[] {
  const isPrinted = requests.some(({ file }) => file === standardOutput);
  return isPrinted ? requests : [{ format: 'text', file: standardOutput }, ...requests];
}

/** Writes the reports that were asked for. Throws ParityError for a file that cannot be written. */
export async function writeReports(
  report: Report,
  requests: readonly ReportRequest[],
  { verbose }: Pick<ReportOptions, 'verbose'>,
): Promise<void> {
  const page = requests.find(({ format, file }) => format === 'html' && file !== standardOutput)?.file;
  const style = { verbose, screen: terminalScreen(), ...(page === undefined ? {} : { page }) };
  for (const request of withText(requests)) await writeReport(report, request, style);
}
