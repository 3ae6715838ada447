import { setFlagsFromString } from 'node:v8';
import type { CommandModule } from 'yargs';
import { parityFindingsOfFiles } from '../diff/compare.ts';
import { count, findingText } from '../report/text.ts';
import type { CommandContext } from './context.ts';

type Options = { golden: string; trace: string };

export function diffCommand({ exit }: CommandContext): CommandModule<object, Options> {
  return {
    command: 'diff <golden> <trace>',
    describe: 'Compare a trace with a golden',
    builder: (yargs) =>
      yargs
        .positional('golden', { type: 'string', demandOption: true, describe: 'A golden file' })
        .positional('trace', { type: 'string', demandOption: true, describe: 'A trace file' })
        .example(
          '$0 diff traces/0.169.0/chatgpt/fast.golden.jsonl live.trace.jsonl',
          'what a recorded session does otherwise than the golden',
        ),
    handler: ({ golden, trace }) => {
      // Keeps the space for new objects as small as it is at the start. It would grow with the files, by some 50 MB for
      // 200 MB; hardly any new object lives long here, so that nothing is gained by it.
      setFlagsFromString('--semi-space-growth-factor=1');
      const { name, findings } = parityFindingsOfFiles(golden, trace);
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
