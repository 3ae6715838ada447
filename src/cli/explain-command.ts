import { existsSync } from 'node:fs';
import type { CommandModule } from 'yargs';
import { causeCodes } from '../diff/cause-code.ts';
import { ParityError } from '../errors.ts';
import { terminalLine } from '../report/escape.ts';
import { codeList, explanation } from '../report/explanation.ts';
import { didYouMean } from '../suggestion.ts';
import { readTrace } from '../trace/trace.ts';
import { explainTrace, explanationSummary } from '../watch/explain-trace.ts';
import { GoldenChoice } from '../watch/golden-choice.ts';
import type { CommandContext } from './command-context.ts';
import { examples } from './help.ts';
import { type GoldensOption, goldensOption } from './options.ts';
import { progress } from './progress.ts';
import { terminalScreen } from './terminal-screen.ts';

type ExplainCommandOptions = GoldensOption & { what: string | undefined };

export function explainCommand({ exit }: CommandContext): CommandModule<object, ExplainCommandOptions> {
  return {
    command: 'explain [what]',
    describe: 'Explain a cause that check reports, or each turn of a recorded session',
    builder: (yargs) =>
      yargs
        .usage(
          '$0 explain [CODE | TRACE]\n\n' +
            'Of a code: what follows from the cause, and how to fix it. Without an argument, lists all codes.\n' +
            'Of a trace: whether each turn had fast mode, hit the prompt cache and continued its session, and if not, why. ' +
            'These are the verdicts of watch.',
        )
        .positional('what', {
          type: 'string',
          describe: 'A code such as tier/hint-missing, or a trace from record -- COMMAND or proxy --record',
        })
        .option('goldens', goldensOption())
        .epilogue(
          `${examples([
            ['Explain one code', 'codex-parity explain session/header-renamed'],
            ['List all codes', 'codex-parity explain'],
            ['Judge the turns of a recorded session', 'codex-parity explain live.trace.jsonl'],
          ])}\n\nExit codes: 0 explained, 1 something is wrong in the trace, 2 wrong usage or input, 3 internal error.`,
        ),
    handler: ({ what, goldens }) => {
      if (what === undefined) {
        process.stdout.write(codeList());
        return;
      }
      const known = causeCodes.find((one) => one === what);
      if (known !== undefined) process.stdout.write(explanation(known));
      else if (existsSync(what)) {
        if (explainFile(what, new GoldenChoice(goldens))) exit(1);
      } else
        throw new ParityError(
          'usage',
          `no cause has the code "${what}", and there is no such file: ${didYouMean(what, causeCodes)}"codex-parity explain" lists all codes`,
        );
    },
  };
}

/** Prints the verdicts of a trace. Returns whether something is wrong. */
function explainFile(file: string, goldens: GoldenChoice): boolean {
  const explained = explainTrace(readTrace(file, progress).events, goldens, terminalScreen());
  if (explained.turns === 0)
    throw new ParityError(
      'usage',
      `${file} has no turn: record a session with "codex-parity record -- COMMAND"`,
    );
  for (const line of explained.lines) process.stdout.write(`${line}\n`);
  process.stdout.write(`\n${terminalLine(explanationSummary(explained))}\n`);
  return explained.wrong > 0;
}
