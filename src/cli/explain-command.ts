import type { CommandModule } from 'yargs';
import { causeCodes } from '../diff/cause-code.ts';
import { ParityError } from '../errors.ts';
import { codeList, explanation } from '../report/explanation.ts';
import { didYouMean } from '../suggestion.ts';
import { examples } from './help.ts';

type ExplainCommandOptions = { code: string | undefined };

export function explainCommand(): CommandModule<object, ExplainCommandOptions> {
  return {
    command: 'explain [code]',
    describe: 'Explain a cause that check reports: what follows from it, and how to mend it',
    builder: (yargs) =>
      yargs
        .usage('$0 explain [CODE]\n\nExplains the code of a cause. Without a code, lists all codes.')
        .positional('code', { type: 'string', describe: 'Such as tier/hint-missing' })
        .epilogue(
          examples([
            ['Explain one code', 'codex-parity explain session/header-renamed'],
            ['List all codes', 'codex-parity explain'],
          ]),
        ),
    handler: ({ code }) => {
      if (code === undefined) {
        process.stdout.write(codeList());
        return;
      }
      const known = causeCodes.find((one) => one === code);
      if (known !== undefined) {
        process.stdout.write(explanation(known));
        return;
      }
      throw new ParityError(
        'usage',
        `no cause has the code "${code}": ${didYouMean(code, causeCodes)}"codex-parity explain" lists all codes`,
      );
    },
  };
}
