import type { CommandModule } from 'yargs';
import { readGolden } from '../golden/file.ts';
import { eventListing, goldenListing } from '../report/listing.ts';
import { formatOf } from '../trace/line-file.ts';
import { readTrace } from '../trace/trace.ts';
import { examples } from './help.ts';
import { progress } from './progress.ts';

type ShowOptions = { file: string };

export function showCommand(): CommandModule<object, ShowOptions> {
  return {
    command: 'show <file>',
    describe: 'Print a trace or golden in readable form',
    builder: (yargs) =>
      yargs
        .positional('file', { type: 'string', demandOption: true, describe: 'Trace or golden file' })
        .epilogue(
          examples([
            [
              'Print what Codex 0.169.0 sends in fast mode',
              'codex-parity show traces/0.169.0/chatgpt/fast.golden.jsonl',
            ],
          ]),
        ),
    handler: async ({ file }) => {
      const listing =
        formatOf(file) === 'golden'
          ? goldenListing(readGolden(file))
          : readTrace(file, progress).events.map(eventListing).join('\n\n');
      process.stdout.write(`${listing}\n`);
    },
  };
}
