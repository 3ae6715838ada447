import type { CommandModule } from 'yargs';
import { liveFindings } from '../diff/live.ts';
import { parityFindings } from '../diff/parity.ts';
import { tlsLibraries } from '../diff/tls-library.ts';
import { findClientHellos } from '../golden/client-hello.ts';
import { readGolden } from '../golden/file.ts';
import { fileNamed } from '../golden/select.ts';
import { exchangesOf } from '../golden/trace/exchanges.ts';
import { count } from '../report/count.ts';
import { terminalLine } from '../report/escape.ts';
import { informationText } from '../report/information.ts';
import { findingText } from '../report/text.ts';
import { readTrace } from '../trace/trace.ts';
import type { CommandContext } from './command-context.ts';
import { examples, exitCodes } from './help.ts';
import { type GoldensOption, goldenNames, goldensOption, wireOption } from './options.ts';
import { progress } from './progress.ts';

const liveHelp =
  'Of a live session, the protocol is compared: envelope, identity, tier, order, framing and relations. Model, reasoning ' +
  'effort, front end, prompts, tools, working folder and further turns vary from session to session: they are listed as ' +
  'information, and do not change the exit code.';

type DiffOptions = GoldensOption & { golden: string; trace: string; wire: 'tls' | undefined };

export function diffCommand({ exit }: CommandContext): CommandModule<object, DiffOptions> {
  return {
    command: 'diff <golden> <trace>',
    describe: 'Compare a recorded trace with a golden',
    builder: (yargs) =>
      yargs
        .positional('golden', {
          type: 'string',
          demandOption: true,
          describe: `What to expect: ${goldenNames}`,
        })
        .positional('trace', {
          type: 'string',
          demandOption: true,
          describe: 'Trace file, from record -- COMMAND or proxy --record',
        })
        .option('goldens', goldensOption())
        .option('wire', wireOption)
        .epilogue(
          `${liveHelp}\n\n${examples([
            [
              'Print where a recorded session differs from the golden',
              'codex-parity diff 0.169.0/fast live.trace.jsonl',
            ],
          ])}\n\n${exitCodes('parity')}`,
        ),
    handler: ({ golden, trace, goldens, wire }) => {
      const plain = readGolden(fileNamed(goldens, golden));
      const expected = wire === 'tls' ? { ...plain, hellos: findClientHellos(goldens, plain.codex) } : plain;
      const name = `${expected.codex} ${expected.scenario}`;
      const { live, events } = readTrace(trace, progress);
      const exchanges = exchangesOf(events);
      if (exchanges.some(({ connection }) => connection.imported !== undefined))
        progress(
          `${trace} was imported: TLS, frames, closes and ends of connections are not known, so not compared`,
        );
      if (wire === 'tls' && tlsLibraries(exchanges).length === 0)
        progress(`${trace} has no TLS handshakes, so they are not compared`);
      const { findings, information } = live
        ? liveFindings(expected, exchanges)
        : { findings: parityFindings(expected, exchanges), information: [] };
      for (const finding of findings) process.stdout.write(`${findingText(name, finding)}\n\n`);
      for (const one of information) process.stdout.write(`${informationText(name, one)}\n`);
      if (information.length > 0) process.stdout.write('\n');
      const matches = live ? 'follows the protocol of' : 'matches';
      const verdict =
        findings.length === 0
          ? `parity: ${trace} ${matches} ${name}`
          : `no parity: ${count(findings.length, 'finding')}`;
      process.stdout.write(`${terminalLine(verdict)}\n`);
      if (findings.length > 0) exit(1);
    },
  };
}
