import { ParityError } from '../errors.ts';
import { count } from '../report/count.ts';
import { chooseFrom, didYouMean } from '../suggestion.ts';

/** The prefix of options of `proxy` in the environment. */
export const environmentPrefix = 'CODEX_PARITY_PROXY';

/** The number of arguments of each command that takes any. */
const argumentCounts: Readonly<Record<string, number>> = {
  diff: 2,
  show: 1,
  export: 1,
  import: 1,
  replay: 1,
  drift: 2,
  explain: 1,
};

/** The names that the command line knows. */
type KnownNames = { readonly commands: readonly string[]; readonly options: readonly string[] };

/** Names of options that mean nearly the same, in different commands. */
const alike: readonly (readonly string[])[] = [
  ['port', 'listen', 'backend-port'],
  ['upstream', 'to', 'subject-url'],
  ['format', 'report'],
];

type Reword = (match: RegExpExecArray, args: readonly string[], known: KnownNames) => string;

/** Messages of yargs, and the messages that replace them. */
const messages: readonly (readonly [RegExp, Reword])[] = [
  [/^Not enough arguments following: (.*)$/, ([, option]) => `--${option} needs a value`],
  [
    /^Not enough non-option arguments: got (\d+), need at least (\d+)$/,
    ([, got, needed], [command]) => `${command} needs ${count(Number(needed), 'argument')}, not ${got}`,
  ],
  [
    /^Invalid values: Argument: (\S+), Given: "(.*?)", Choices: (.*)$/,
    ([, option, value = '', choices = '']) => {
      const known = choices.replaceAll('"', '');
      return `--${option} "${value}" must be one of ${known}${suggestion(value, known.split(', '))}`;
    },
  ],
  [
    /^Unknown arguments?: (.*)$/,
    ([, names = ''], args, { options }) => unknownArgument(names.split(', '), args, options),
  ],
  [/^Missing required arguments?: (\S+)$/, ([, option]) => `--${option} is missing: give it a value`],
  [
    /^Arguments since and (?:from|to) are mutually exclusive$/,
    () => 'use --since VERSION or two versions, not both',
  ],
  [/^Arguments (\S+) and (\S+) are mutually exclusive$/, ([, a, b]) => `use --${a} or --${b}, not both`],
];

/** The message for an option or argument that a command does not have. Yargs names both alike, without dashes. */
function unknownArgument(
  names: readonly string[],
  args: readonly string[],
  known: readonly string[],
): string {
  const options = args.filter((arg) => arg.startsWith('-')).map((arg) => arg.split('=')[0] ?? '');
  const option = options.find((text) =>
    text.startsWith('--') ? names.includes(text.slice(2)) : names.some((name) => text.includes(name)),
  );
  if (option !== undefined) return `unknown option ${option}${optionMeant(option.slice(2), known, dashed)}`;
  const [name = ''] = names;
  if (!args.includes(name))
    return `unknown variable ${variableOf(name)}${optionMeant(name, known, variableOf)}`;
  const command = args[0] ?? '';
  const number = argumentCounts[command] ?? 0;
  const takes = number === 0 ? 'no arguments' : count(number, 'argument');
  return `unexpected argument "${name}": ${command} takes ${takes}`;
}

/** What is added to a sentence about an option that is not known. `written`: how it is written there. */
function optionMeant(name: string, known: readonly string[], written: (name: string) => string): string {
  const other = alike.find((names) => names.includes(name))?.find((each) => known.includes(each));
  return other === undefined
    ? suggestion(written(name), known.map(written))
    : `: did you mean "${written(other)}"?`;
}

function dashed(option: string): string {
  return `--${option}`;
}

/** The environment variable of an option. */
function variableOf(option: string): string {
  const words = option.replaceAll(/[A-Z]/g, '_$&').replaceAll('-', '_');
  return `${environmentPrefix}_${words.toUpperCase()}`;
}

/** What is added to a sentence about a word that is not known. */
function suggestion(word: string, known: readonly string[]): string {
  const advice = didYouMean(word, known).trim();
  return advice === '' ? '' : `: ${advice}`;
}

/** The error for a value that is not a number, on the command line or in the environment. */
export function notANumber(option: string, args: readonly string[]): ParityError {
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  const at = own.findIndex((arg) => arg.split('=')[0] === `--${option}`);
  const value = own[at]?.includes('=') ? own[at].slice(option.length + 3) : own[at + 1];
  const variable = variableOf(option);
  const what = at < 0 ? `${variable} "${process.env[variable]}"` : `--${option} "${value}"`;
  const [command = ''] = args;
  return new ParityError(
    'usage',
    `${what} must be a number ${helpOf(command.startsWith('-') ? '' : command)}`,
  );
}

function helpOf(command: string): string {
  return `(see codex-parity ${command === '' ? '' : `${command} `}--help)`;
}

/** The error for a message of yargs. It names the help to read. */
export function usageError(message: string, args: readonly string[], known: KnownNames): ParityError {
  const [word = ''] = args;
  const { commands } = known;
  const isCommand = commands.includes(word);
  const help = helpOf(isCommand ? word : '');
  if (!isCommand && word !== '' && !word.startsWith('-')) {
    return new ParityError('usage', `unknown command "${word}": ${chooseFrom(word, commands)} ${help}`);
  }
  const line = message.replaceAll(/\s*\n\s*/g, ' ');
  for (const [pattern, reword] of messages) {
    const match = pattern.exec(line);
    if (match !== null) return new ParityError('usage', `${reword(match, args, known)} ${help}`);
  }
  return new ParityError('usage', `${line} ${help}`);
}
