import { basename, join } from 'node:path';
import type { CommandModule } from 'yargs';
import { importHar } from '../record/import-har.ts';
import { count } from '../report/count.ts';
import { examples } from './help.ts';
import { progress } from './progress.ts';

type ImportOptions = { har: string; out: string | undefined };

export function importCommand(): CommandModule<object, ImportOptions> {
  return {
    command: 'import <har>',
    describe: 'Make a trace of a HAR, such as one of mitmproxy or a browser',
    builder: (yargs) =>
      yargs
        .usage(
          '$0 import HAR [--out FILE]\n\n' +
            'Reads a HAR 1.2 with websocket messages, and writes a trace of the requests to hosts that serve a model. ' +
            'Secrets are replaced, and texts are reduced to length and hash, before they are written. Delete the HAR ' +
            'then: it still has them.',
        )
        .positional('har', {
          type: 'string',
          demandOption: true,
          describe: 'HAR file, or a .zhar file of mitmproxy',
        })
        .option('out', {
          type: 'string',
          describe: 'Trace to write [default: .codex-parity/NAME.trace.jsonl]',
        })
        .epilogue(
          'A HAR does not have TLS, frames, compression of messages, pings, closes, and the ends of connections; few ' +
            'programs keep the order and capitalisation of headers. diff does not compare what is not known.\n\n' +
            examples([
              ['Record a session with mitmproxy', 'mitmdump --set hardump=session.har'],
              ['Make a trace of it', 'codex-parity import session.har'],
              ['Compare it with the golden', 'codex-parity diff latest .codex-parity/session.trace.jsonl'],
            ]),
        ),
    handler: ({
      har,
      out = join('.codex-parity', `${basename(har).replace(/\.z?har$/i, '')}.trace.jsonl`),
    }) => {
      const { creator, headersKnown, requests, modelRequests, leftOut, withoutContent } = importHar(har, out);
      if (!headersKnown)
        progress(
          `order and capitalisation of headers are not known: ${creator} does not keep those of all requests`,
        );
      if (withoutContent > 0)
        progress(
          `${count(withoutContent, 'model request')} without body or messages: export the HAR with content`,
        );
      if (leftOut > 0) progress(`left out ${count(leftOut, 'request')} to other hosts`);
      progress(
        `wrote ${out} with ${count(requests, 'request')}, ${modelRequests} of them for a model: print it with "codex-parity show ${out}"`,
      );
    },
  };
}
