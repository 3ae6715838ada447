import type { CommandModule } from 'yargs';
import { writeWhole } from '../files.ts';
import { readGolden } from '../golden/file.ts';
import { authorityMark, officialHost, replaceHost } from '../golden/pattern/authority.ts';
import { fileNamed } from '../golden/select.ts';
import { eventsOf } from '../golden/trace/exchanges.ts';
import { jsonText } from '../report/escape.ts';
import { har } from '../report/har.ts';
import { formatOf } from '../trace/line-file.ts';
import { readTrace } from '../trace/trace.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { examples } from './help.ts';
import { type GoldensOption, goldenNames, goldensOption } from './options.ts';
import { progress } from './progress.ts';
import { version } from './version.ts';

type ExportOptions = GoldensOption & { recording: string; out: string | undefined };

export function exportCommand(): CommandModule<object, ExportOptions> {
  return {
    command: 'export <recording>',
    describe: 'Write a trace or golden as HAR, for the network panel of a browser',
    builder: (yargs) =>
      yargs
        .positional('recording', {
          type: 'string',
          demandOption: true,
          describe: `A trace, or ${goldenNames}`,
        })
        .option('out', { type: 'string', describe: 'HAR to write [default: standard output]' })
        .option('goldens', goldensOption())
        .epilogue(
          'The HAR is sealed as the recording is. Recordings have no times, so that events are a millisecond apart. ' +
            'Chrome opens it with "Import HAR file" in its network panel; websocket messages are in the tab Messages.' +
            `\n\n${examples([
              ['Look at a session in a browser', 'codex-parity export live.trace.jsonl --out live.har'],
              [
                'Look at what Codex 0.171.0 sends in fast mode',
                'codex-parity export 0.171.0/fast --out fast.har',
              ],
            ])}`,
        ),
    handler: ({ recording, out, goldens }) => {
      const file = fileNamed(goldens, recording);
      const events = formatOf(file) === 'golden' ? goldenEvents(file) : readTrace(file, progress).events;
      const text = jsonText(har(events, version()));
      if (out === undefined) {
        process.stdout.write(text);
        return;
      }
      writeWhole(out, text);
      progress(`wrote ${out}`);
    },
  };
}

/** The events of a golden, at the official host: a pattern is not a host. */
function goldenEvents(file: string): TraceEvent[] {
  const { lane, exchanges } = readGolden(file);
  const authority = officialHost(lane);
  return exchanges.flatMap(({ connection, request, ...exchange }) =>
    eventsOf({
      ...exchange,
      connection: { ...connection, authority },
      request: { ...request, headers: replaceHost(request.headers, [authorityMark], authority) },
    }),
  );
}
