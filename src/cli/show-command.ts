import type { CommandModule } from 'yargs';
import { readGolden } from '../golden/file.ts';
import { fileNamed } from '../golden/select.ts';
import { eventListing, goldenListing } from '../report/listing.ts';
import { formatOf } from '../trace/line-file.ts';
import { readTrace } from '../trace/trace.ts';
import { examples } from './help.ts';
import { type GoldensOption, goldenNames, goldensOption } from './options.ts';
import { progress } from './progress.ts';

type ShowOptions = GoldensOption & { file: string };

export function showCommand(): CommandModule<object, ShowOptions> {
  return {
    command: 'show <file>',
    describe: 'Print a trace or golden in readable form',
    builder: (yargs) =>
      yargs
        .positional('file', { type: 'string', demandOption: true, describe: `A trace, or ${goldenNames}` })
        .option('goldens', goldensOption())
        .epilogue(
          examples([['Print what Codex 0.169.0 sends in fast mode', 'codex-parity show 0.169.0/fast']]),
        ),
    handler: async ({ file: name, goldens }) => {
      const file = fileNamed(goldens, name);
      const listing =
        formatOf(file) === 'golden'
          ? goldenListing(readGolden(file))
          : readTrace(file, progress).events.map(eventListing).join('\n\n');
      process.stdout.write(`${listing}\n`);
    },
  };
}
