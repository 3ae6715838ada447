import { ParityError } from '../errors.ts';
import { count } from '../report/count.ts';
import { didYouMean } from '../suggestion.ts';

/** The prefix of options of `proxy` in the environment. */
export const environmentPrefix = 'CODEX_PARITY_PROXY';

const [url, anything] = [/^\w+:\/\/.*$|^\S+:\d+.*$/, /^.+$/s];
const version = /^(?:latest|\d+\.\d+\.\d+[\w.-]*)$/;
const recording = /^(?:latest|\d+\.\d+\.\d+)\b.*$|^.*\.jsonl$/;

/** What to write instead of an argument, for commands that take none; the first entry that matches is used. */
const insteadOfArgument: readonly (readonly [command: string, argument: RegExp, advice: string])[] = [
  ['check', url, 'to check a proxy that runs there, use --subject-url URL --backend-port PORT'],
  ['check', version, 'use --codex $&'],
  [
    'check',
    anything,
    'use --subject $& for a proxy, --scenario $& for a scenario, or --client -- COMMAND for a client',
  ],
  ['record', version, 'use --codex $&'],
  ['record', anything, 'to record a command, put it after --'],
  ['backend', recording, 'use --replay $&'],
  ['backend', anything, 'use --scenario $&'],
  ['watch', url, 'use --upstream $&'],
  ['proxy', url, 'use --upstream $&'],
  ['proxy', version, 'use --codex $&'],
  ['init', anything, 'use --name $&'],
];

/** What the command line knows. */
type Known = {
  readonly commands: readonly string[];
  readonly options: readonly string[];
  /** The command that runs, with its arguments, such as `show <file>`. */
  readonly usage: string;
};

/** Names of options that mean nearly the same, in different commands. */
const alike: readonly (readonly string[])[] = [
  ['port', 'listen', 'backend-port'],
  ['upstream', 'to', 'subject-url', 'url'],
  ['format', 'report'],
];

type Reword = (match: RegExpExecArray, args: readonly string[], known: Known) => string;

/** Messages of yargs, and the messages that replace them. */
const messages: readonly (readonly [RegExp, Reword])[] = [
  [/^Not enough arguments following: (.*)$/, ([, option]) => `--${option} needs a value`],
  [
    /^Not enough non-option arguments: got (\d+), need at least (\d+)$/,
    ([, got, needed], [command], { usage }) =>
      `${command} needs ${count(Number(needed), 'argument')}, not ${got}: codex-parity ${usage}`,
  ],
  [
    /^Invalid values: Argument: (\S+), Given: "(.*?)", Choices: (.*)$/,
    ([, option, value = '', choices = '']) => {
      const known = choices.replaceAll('"', '');
      return `--${option} "${value}" must be one of ${known}${suggestion(value, known.split(', '))}`;
    },
  ],
  [/^Unknown arguments?: (.*)$/, ([, list = ''], args, known) => unknownArgument(list, args, known)],
  [/^Missing required arguments?: (\S+)$/, ([, option]) => `--${option} is missing: give it a value`],
  [
    /^Arguments since and (?:from|to) are mutually exclusive$/,
    () => 'use --since VERSION or two versions, not both',
  ],
  [/^Arguments (\S+) and (\S+) are mutually exclusive$/, ([, a, b]) => `use --${a} or --${b}, not both`],
];

/** The message for an option or argument that a command does not have. Yargs lists both alike, without dashes. */
function unknownArgument(list: string, args: readonly string[], { options: known, usage }: Known): string {
  const names = list.split(', ');
  const options = args.filter((arg) => arg.startsWith('-')).map((arg) => arg.split('=')[0] ?? '');
  const option = options.find((text) =>
    text.startsWith('--') ? names.includes(text.slice(2)) : names.some((name) => text.includes(name)),
  );
  if (option !== undefined) return `unknown option ${option}${optionMeant(option.slice(2), known, dashed)}`;
  // An argument may have a comma.
  const name = args.slice(1).find((arg) => `${list}, `.startsWith(`${arg || '""'}, `));
  if (name === undefined) {
    const [variable = ''] = names;
    return `unknown variable ${variableOf(variable)}${optionMeant(variable, known, variableOf)}`;
  }
  const unexpected = `unexpected argument "${name}":`;
  const command = args[0] ?? '';
  if (usage.includes(' ')) return `${unexpected} write codex-parity ${usage}`;
  const [, argument = anything, advice = ''] =
    insteadOfArgument.find(([of, matching]) => of === command && matching.test(name)) ?? [];
  return advice === ''
    ? `${unexpected} ${command} takes none, so leave it out`
    : `${unexpected} ${name.replace(argument, advice)}`;
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
export function usageError(message: string, args: readonly string[], known: Known): ParityError {
  const [word = ''] = args;
  const { commands } = known;
  const isCommand = commands.includes(word);
  const help = helpOf(isCommand ? word : '');
  if (!isCommand && word !== '' && !word.startsWith('-')) {
    const advice = suggestion(word, commands) || `: choose from ${commands.join(', ')}`;
    return new ParityError('usage', `unknown command "${word}"${advice} ${help}`);
  }
  const line = message.replaceAll(/\s*\n\s*/g, ' ');
  for (const [pattern, reword] of messages) {
    const match = pattern.exec(line);
    if (match !== null) return new ParityError('usage', `${reword(match, args, known)} ${help}`);
  }
  return new ParityError('usage', `${line} ${help}`);
}
