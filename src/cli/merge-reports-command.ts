import type { CommandModule } from 'yargs';
import { judgeReport } from '../baseline/judge-report.ts';
import { mergeReports } from '../report/merge-reports.ts';
import { readReport } from '../report/read-report.ts';
import { passes, type Report } from '../report/report.ts';
import { parseReportRequests } from '../report/write.ts';
import type { CommandContext } from './command-context.ts';
import { examples, exitCodes } from './help.ts';
import { type ReportOptions, reportOptions, writeReports } from './report-options.ts';

type MergeReportsOptions = ReportOptions & { files: string[] };

export function mergeReportsCommand({ exit }: CommandContext): CommandModule<object, MergeReportsOptions> {
  return {
    command: 'merge-reports <files..>',
    describe: 'Merge the JSON reports of several checks of one proxy, such as those of all shards',
    builder: (yargs) =>
      yargs
        .positional('files', {
          type: 'string',
          array: true,
          demandOption: true,
          describe: 'Files of check --report json',
        })
        .options(reportOptions)
        .epilogue(
          `${examples([
            [
              'Merge the reports of two shards into one file for CI',
              'codex-parity merge-reports shard-1.json shard-2.json --report junit=parity.xml',
            ],
          ])}\n\n${exitCodes('parity')}`,
        ),
    handler: async (options) => {
      const reports = parseReportRequests(options.report);
      const report = judged(mergeReports(options.files.map((path) => ({ path, report: readReport(path) }))));
      await writeReports(report, reports, options);
      if (!passes(report)) exit(1);
    },
  };
}

/** Applies the baseline of the merged reports again: only together they show whether its entries are used. */
function judged(report: Report): Report {
  const { gate, selection } = report;
  if (gate?.baseline === undefined || selection === undefined) return report;
  return judgeReport({ ...report, selection }, gate.baseline, gate.failOn);
}
