import type { CommandModule } from 'yargs';
import { readGolden } from '../golden/file.ts';
import { eventListing, goldenListing } from '../report/listing.ts';
import { formatOf } from '../trace/line-file.ts';
import { readTrace } from '../trace/trace.ts';

type ShowOptions = { file: string };

export function showCommand(): CommandModule<object, ShowOptions> {
  return {
    command: 'show <file>',
    describe: 'Print a trace or a golden for reading',
    builder: (yargs) =>
      yargs
        .positional('file', { type: 'string', demandOption: true, describe: 'A trace or golden file' })
        .example('$0 show traces/0.169.0/chatgpt/fast.golden.jsonl', 'what Codex 0.169.0 sends in fast mode'),
    handler: async ({ file }) => {
      const listing =
        formatOf(file) === 'golden'
          ? goldenListing(readGolden(file))
          : readTrace(file).map(eventListing).join('\n\n');
      process.stdout.write(`${listing}\n`);
    },
  };
}
