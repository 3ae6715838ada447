import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { ParityError } from '../errors.ts';
import type { Golden } from '../golden/golden.ts';
import { recordReplay } from '../record/record-replay.ts';
import { count } from '../report/count.ts';
import { terminalLine } from '../report/escape.ts';
import type { CommandContext } from './command-context.ts';
import { type FaultOptions, faultHelp, faultOptions, readFaults } from './fault-options.ts';
import { examples } from './help.ts';
import { type GoldensOption, goldenNames, goldensOption } from './options.ts';
import { progress } from './progress.ts';
import { readRecording } from './read-recording.ts';

type ReplayCommandOptions = GoldensOption &
  FaultOptions & {
    recording: string;
    timing: string;
    to: string;
    out: string | undefined;
    timeout: number;
  };

/** The variable with the bearer token for the server. Other users of the machine could read it on the command line. */
const tokenVariable = 'CODEX_PARITY_TOKEN';

export function replayCommand({ signal, exit }: CommandContext): CommandModule<object, ReplayCommandOptions> {
  return {
    command: 'replay <recording>',
    describe: 'Send the requests of a golden or trace to a server, and record what it responds',
    builder: (yargs) =>
      yargs
        .positional('recording', {
          type: 'string',
          demandOption: true,
          describe: `A trace, or ${goldenNames}`,
        })
        .option('to', {
          type: 'string',
          demandOption: true,
          describe:
            "Base URL of the server's Responses API, such as http://127.0.0.1:8320/backend-api/codex; without a path, that of " +
            'the recording is used',
        })
        .option('out', {
          type: 'string',
          describe: 'Trace to write [default: .codex-parity/replay-TIME.trace.jsonl]',
        })
        .option('timeout', {
          requiresArg: true,
          type: 'number',
          default: 60,
          describe: 'Seconds until the replay is stopped',
        })
        .option('timing', {
          requiresArg: true,
          type: 'string',
          default: 'none',
          defaultDescription: 'none',
          describe: 'When to send: at once (none), as in the recording (recorded), or N times as fast (xN)',
        })
        .option('goldens', goldensOption())
        .options(faultOptions)
        .epilogue(
          'Headers have the recorded order and case. Ids and clocks are new, and agree with each other; a request ' +
            'continues the response that the server really sent. A frame is sent when what it waits for has arrived. The ' +
            `sign-in is made up, unless ${tokenVariable} has a token for the server.\n\n` +
            `${faultHelp('client')}\n\n${examples([
              [
                'Send what the official client sends in fast mode to your proxy',
                'codex-parity replay 0.169.0/fast --to http://127.0.0.1:8320/backend-api/codex',
              ],
              [
                'Send a session that you recorded ten times as fast, in other pieces, and disconnect at the third message',
                'codex-parity replay live.trace.jsonl --to http://127.0.0.1:8320 --timing x10 --vary 1 --fault reset@message:3',
              ],
            ])}\n\nExit codes: 0 played to the end, 1 the server ended it, 2 wrong usage or input, 3 internal error.`,
        ),
    handler: async ({ recording, to, out, timeout, timing, goldens, ...options }) => {
      const { faults, vary } = readFaults(options, 'client');
      if (!(timeout > 0))
        throw new ParityError('usage', `--timeout "${timeout}" must be more than 0 seconds`);
      const server = URL.canParse(to) ? new URL(to) : undefined;
      if (server === undefined || !/^https?:$/.test(server.protocol))
        throw new ParityError('usage', `--to "${to}" is not an http or https URL`);
      const golden = readRecording(recording, goldens);
      const speed = speedOf(timing, golden);
      const path =
        out ??
        join('.codex-parity', `replay-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.trace.jsonl`);
      const token = process.env[tokenVariable];
      const outcome = await recordReplay({
        ...{ golden, server, out: path, speed, faults, vary, onProblem: progress },
        ...(token === undefined ? {} : { token }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout * 1000)]),
      });
      signal.throwIfAborted();
      const exchanges = count(golden.exchanges.length, 'exchange');
      const verdict = outcome.finished
        ? `played ${exchanges} to ${server.href}`
        : `stopped: ${outcome.reason}`;
      process.stdout.write(`${terminalLine(verdict)}\n`);
      progress(`wrote ${path}: print it with "codex-parity show ${path}"`);
      for (const fault of outcome.missed) progress(`fault ${fault} did not happen`);
      if (!outcome.finished) exit(1);
    },
  };
}

/** How many times as fast as recorded the client is; undefined sends at once. Throws ParityError. */
function speedOf(timing: string, { exchanges }: Golden): number | undefined {
  if (timing === 'none') return undefined;
  const [, times] = /^(?:recorded|x(\d+(?:\.\d+)?))$/.exec(timing) ?? ['', '0'];
  const speed = Number(times ?? 1);
  if (!(speed > 0))
    throw new ParityError('usage', `--timing "${timing}" is not none, recorded, or xN such as x10`);
  if (exchanges.some(({ request }) => request.at !== undefined)) return speed;
  throw new ParityError(
    'usage',
    `--timing ${timing} needs a recording with times: only traces have them, goldens do not`,
  );
}
