import { ParityError } from '../errors.ts';
import { count } from '../report/count.ts';

/** The number of arguments of each command that takes any. */
const argumentCounts: Readonly<Record<string, number>> = { diff: 2, show: 1, drift: 2 };

type Reword = (match: RegExpExecArray, args: readonly string[]) => string;

/** Messages of yargs, and the messages that replace them. */
const messages: readonly (readonly [RegExp, Reword])[] = [
  [/^Not enough arguments following: (.*)$/, ([, option]) => `--${option} needs a value`],
  [
    /^Not enough non-option arguments: got (\d+), need at least (\d+)$/,
    ([, got, needed], [command]) => `${command} needs ${count(Number(needed), 'argument')}, not ${got}`,
  ],
  [
    /^Invalid values: Argument: (\S+), Given: (".*?"), Choices: (.*)$/,
    ([, option, value, choices = '']) => `--${option} ${value} must be one of ${choices.replaceAll('"', '')}`,
  ],
  [/^Unknown arguments?: (.*)$/, ([, names = ''], args) => unknownArgument(names.split(', '), args)],
  [
    /^Arguments since and (?:from|to) are mutually exclusive$/,
    () => 'use --since VERSION or two versions, not both',
  ],
  [/^Arguments (\S+) and (\S+) are mutually exclusive$/, ([, a, b]) => `use --${a} or --${b}, not both`],
];

/** The message for an option or argument that a command does not have. Yargs names both alike, without dashes. */
function unknownArgument(names: readonly string[], args: readonly string[]): string {
  const options = args.filter((arg) => arg.startsWith('-')).map((arg) => arg.split('=')[0] ?? '');
  const option = options.find((text) =>
    text.startsWith('--') ? names.includes(text.slice(2)) : names.some((name) => text.includes(name)),
  );
  if (option !== undefined) return `unknown option ${option}`;
  const command = args[0] ?? '';
  const number = argumentCounts[command] ?? 0;
  const takes = number === 0 ? 'no arguments' : count(number, 'argument');
  return `unexpected argument "${names[0]}": ${command} takes ${takes}`;
}

/** The error for a message of yargs. It names the help to read. */
export function usageError(
  message: string,
  args: readonly string[],
  commands: readonly string[],
): ParityError {
  const [word = ''] = args;
  const isCommand = commands.includes(word);
  const help = `(see codex-parity ${isCommand ? `${word} ` : ''}--help)`;
  if (!isCommand && word !== '' && !word.startsWith('-')) {
    return new ParityError('usage', `unknown command "${word}": choose from ${commands.join(', ')} ${help}`);
  }
  const line = message.replaceAll(/\s*\n\s*/g, ' ');
  for (const [pattern, reword] of messages) {
    const match = pattern.exec(line);
    if (match !== null) return new ParityError('usage', `${reword(match, args)} ${help}`);
  }
  return new ParityError('usage', `${line} ${help}`);
}
