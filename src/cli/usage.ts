import { ParityError } from '../errors.ts';
import { count } from '../report/text.ts';

/** What the library of the command line says, and what a user is told in its place. */
const inOurWords: readonly (readonly [RegExp, (found: RegExpExecArray, command: string) => string])[] = [
  [/^Not enough arguments following: (.*)$/, ([, option]) => `--${option} needs a value`],
  [
    /^Not enough non-option arguments: got (\d+), need at least (\d+)$/,
    ([, got, wanted], command) => `${command} needs ${count(Number(wanted), 'argument')}, and got ${got}`,
  ],
  [
    /^Invalid values: Argument: (\S+), Given: (".*?"), Choices: (.*)$/,
    ([, option, given, choices = '']) => `--${option} ${given} must be one of ${choices.replaceAll('"', '')}`,
  ],
];

/** Wrong use as the library tells it, with the help to look into; `word` is the first of the command line. */
export function wrongUse(message: string, word: string, commands: readonly string[]): ParityError {
  const said = message.replaceAll(/\s*\n\s*/g, ' ');
  const isCommand = commands.includes(word);
  const help = `(see codex-parity ${isCommand ? `${word} ` : ''}--help)`;
  if (!isCommand && word !== '' && !word.startsWith('-')) {
    return new ParityError(
      'usage',
      `there is no command "${word}": choose from ${commands.join(', ')} ${help}`,
    );
  }
  for (const [pattern, tell] of inOurWords) {
    const found = pattern.exec(said);
    if (found !== null) return new ParityError('usage', `${tell(found, word)} ${help}`);
  }
  return new ParityError('usage', `${said} ${help}`);
}
