import { ParityError } from '../errors.ts';
import { count } from '../report/text.ts';

/** Messages of yargs, and the messages that replace them. */
const messages: readonly (readonly [RegExp, (match: RegExpExecArray, command: string) => string])[] = [
  [/^Not enough arguments following: (.*)$/, ([, option]) => `--${option} needs a value`],
  [
    /^Not enough non-option arguments: got (\d+), need at least (\d+)$/,
    ([, got, needed], command) => `${command} needs ${count(Number(needed), 'argument')}, not ${got}`,
  ],
  [
    /^Invalid values: Argument: (\S+), Given: (".*?"), Choices: (.*)$/,
    ([, option, value, choices = '']) => `--${option} ${value} must be one of ${choices.replaceAll('"', '')}`,
  ],
];

/** The error for a message of yargs. It names the help to read; `word` is the first word of the command line. */
export function usageError(message: string, word: string, commands: readonly string[]): ParityError {
  const isCommand = commands.includes(word);
  const help = `(see codex-parity ${isCommand ? `${word} ` : ''}--help)`;
  if (!isCommand && word !== '' && !word.startsWith('-')) {
    return new ParityError('usage', `unknown command "${word}": choose from ${commands.join(', ')} ${help}`);
  }
  const line = message.replaceAll(/\s*\n\s*/g, ' ');
  for (const [pattern, reword] of messages) {
    const match = pattern.exec(line);
    if (match !== null) return new ParityError('usage', `${reword(match, word)} ${help}`);
  }
  return new ParityError('usage', `${line} ${help}`);
}
