import type { CommandModule } from 'yargs';
import { parityFindings } from '../diff/parity.ts';
import { readGolden } from '../golden/file.ts';
import { exchangesOf } from '../golden/trace/exchanges.ts';
import { count, findingText } from '../report/text.ts';
import { readTrace } from '../trace/trace.ts';
import type { CommandContext } from './command-context.ts';
import { examples, exitCodes } from './help.ts';

type DiffOptions = { golden: string; trace: string };

export function diffCommand({ exit }: CommandContext): CommandModule<object, DiffOptions> {
  return {
    command: 'diff <golden> <trace>',
    describe: 'Compare a recorded trace with a golden',
    builder: (yargs) =>
      yargs
        .positional('golden', { type: 'string', demandOption: true, describe: 'Golden file: what to expect' })
        .positional('trace', {
          type: 'string',
          demandOption: true,
          describe: 'Trace file, from record -- COMMAND or proxy --record',
        })
        .epilogue(
          `${examples([
            [
              'Print where a recorded session differs from the golden',
              'codex-parity diff traces/0.169.0/chatgpt/fast.golden.jsonl live.trace.jsonl',
            ],
          ])}\n\n${exitCodes}`,
        ),
    handler: ({ golden, trace }) => {
      const expected = readGolden(golden);
      const name = `${expected.codex} ${expected.scenario}`;
      const findings = parityFindings(expected, exchangesOf(readTrace(trace)));
      for (const finding of findings) process.stdout.write(`${findingText(name, finding)}\n\n`);
      const verdict =
        findings.length === 0
          ? `parity: ${trace} matches ${name}`
          : `no parity: ${count(findings.length, 'finding')}`;
      process.stdout.write(`${verdict}\n`);
      if (findings.length > 0) exit(1);
    },
  };
}
