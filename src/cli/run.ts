import { inspect } from 'node:util';
import yargs, { type Argv } from 'yargs';
import { ParityError, plainReason } from '../errors.ts';
import { terminalLine, terminalText } from '../report/escape.ts';
import type { CommandContext } from './command-context.ts';
import { examples, exitCodes } from './help.ts';
import { notANumber, usageError } from './usage.ts';
import { version } from './version.ts';

type Register = (cli: Argv, context: CommandContext) => Promise<Argv>;

/** The commands, in the order of the help. Each is loaded when needed, which halves the start-up time of a proxy. */
const commands: Readonly<Record<string, Register>> = {
  init: async (cli, context) => cli.command((await import('./init-command.ts')).initCommand(context)),
  check: async (cli, context) => cli.command((await import('./check-command.ts')).checkCommand(context)),
  explain: async (cli, context) =>
    cli.command((await import('./explain-command.ts')).explainCommand(context)),
  'merge-reports': async (cli, context) =>
    cli.command((await import('./merge-reports-command.ts')).mergeReportsCommand(context)),
  record: async (cli, context) => cli.command((await import('./record-command.ts')).recordCommand(context)),
  show: async (cli) => cli.command((await import('./show-command.ts')).showCommand()),
  diff: async (cli, context) => cli.command((await import('./diff-command.ts')).diffCommand(context)),
  import: async (cli) => cli.command((await import('./import-command.ts')).importCommand()),
  export: async (cli) => cli.command((await import('./export-command.ts')).exportCommand()),
  drift: async (cli) => cli.command((await import('./drift-command.ts')).driftCommand()),
  replay: async (cli, context) => cli.command((await import('./replay-command.ts')).replayCommand(context)),
  backend: async (cli, context) =>
    cli.command((await import('./backend-command.ts')).backendCommand(context)),
  watch: async (cli, context) => cli.command((await import('./watch-command.ts')).watchCommand(context)),
  proxy: async (cli, context) =>
    cli.command(await (await import('./proxy-command.ts')).proxyCommand(context)),
  'bench-tier': async (cli, context) =>
    cli.command((await import('./bench-tier-command.ts')).benchTierCommand(context)),
  doctor: async (cli, context) => cli.command((await import('./doctor-command.ts')).doctorCommand(context)),
};

/** SIGHUP is sent when the terminal is closed. */
const interruptions = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** `help COMMAND` is `COMMAND --help`, as in git and npm. */
function withHelp(args: readonly string[]): string[] {
  const [first, command = '--help'] = args;
  if (first !== 'help') return [...args];
  return Object.hasOwn(commands, command) ? [command, '--help'] : [command];
}

/** Runs a command line and returns the exit code. Expected errors are printed as one line. */
export async function run(commandLine: readonly string[]): Promise<number> {
  const args = withHelp(commandLine);
  const interruption = new AbortController();
  const interrupt = () => interruption.abort(new ParityError('interrupted', 'interrupted'));
  let exitCode = 0;
  const context: CommandContext = {
    // Only commands that read the signal handle interruptions. The others end at once.
    get signal() {
      for (const name of interruptions) process.removeListener(name, interrupt).on(name, interrupt);
      return interruption.signal;
    },
    exit: (code) => {
      exitCode = code;
    },
  };
  try {
    const cli = yargs(args)
      .scriptName('codex-parity')
      .usage(
        '$0 COMMAND [options]\n\n' +
          'Records what the official Codex client sends to its backend, and checks proxies against it.\n\n' +
          'scenario: a scripted conversation between client and backend\n' +
          'trace: the recorded traffic of a session, without secrets\n' +
          'golden: the pattern learned from several traces of a scenario\n' +
          'lane: how the client signs in, and how it is configured to use a proxy\n' +
          'subject: the proxy or client that is checked\n' +
          "driver: what plays the client: a replay of the golden, the official client, or OpenAI's library\n" +
          'parity: the proxy sends what the official client sends\n' +
          'neutrality: the proxy passes on requests and responses unchanged\n' +
          'cause: what is wrong with a subject, with one code in all scenarios that show it\n' +
          'baseline: the file of causes that are accepted',
      )
      .demandCommand(1, `missing command: choose from ${Object.keys(commands).join(', ')}`)
      .strict()
      .recommendCommands()
      .version(version())
      .epilogue(
        `${examples([
          ['Write a configuration for your proxy', 'codex-parity init'],
          [
            'Check your proxy against the newest version of Codex',
            'codex-parity check --subject mine --codex latest',
          ],
        ])}\n\ncodex-parity COMMAND --help prints the options of a command.\n\n${exitCodes('success')}`,
      )
      .wrap(110)
      .fail((message, error) => {
        // Yargs passes most of its own errors as messages, and some as a YError.
        if (error !== undefined && error.name !== 'YError') throw error;
        throw usageError(error?.message ?? message, args, {
          commands: [...Object.keys(commands), 'completion'],
          options: optionNames(cli),
          usage: usageOf(cli),
        });
      })
      .parserConfiguration({
        'populate--': true,
        // Otherwise the command after `--` gets 16 for 0x10, and 7 for 007.
        'parse-positional-numbers': false,
        // Otherwise `--goldens A 0.169.0 0.171.0` takes the versions for folders.
        'greedy-arrays': false,
        'dot-notation': false,
        'boolean-negation': false,
      })
      .check((options) => checkOptions(options, args));
    keepNoHelp(cli);
    for (const register of commandsFor(args)) await register(cli, context);
    const completion = ['completion', 'Print a script for shell completion'] as const;
    // To complete words takes half of the program. So load that only when a shell asks for it.
    if (args[0] === '--get-yargs-completions')
      cli.completion(...completion, (await import('./completion.ts')).complete);
    else cli.completion(...completion);
    await cli.parseAsync();
    return exitCode;
  } catch (error) {
    return reportError(error);
  } finally {
    for (const name of interruptions) process.removeListener(name, interrupt);
  }
}

/**
 * The command of the first word, or of the line that a shell completes after that word; all commands for help, or if the word is not a
 * command.
 */
function commandsFor(args: readonly string[]): Register[] {
  if (args.length === 1 && args[0] === '--version') return [];
  // --get-yargs-completions codex-parity COMMAND ... LAST
  const [word = ''] = args[0] === '--get-yargs-completions' && args.length > 3 ? args.slice(2) : args;
  const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
  return command === undefined ? Object.values(commands) : [command];
}

/** What yargs does not export. */
type Internals = {
  readonly getInternalMethods: () => {
    readonly getContext: () => { readonly fullCommands: readonly string[] };
    readonly getUsageInstance: () => { cacheHelpMessage: () => void };
  };
};

/**
 * Yargs lays out the help of each command that it runs, in case that somebody asks for it then. This takes 20 ms of CPU time, and 4 MB
 * that are not returned (measured: yargs 18.2.0).
 */
function keepNoHelp(cli: Argv & Partial<Internals>): void {
  const usage = cli.getInternalMethods?.().getUsageInstance();
  if (usage !== undefined) usage.cacheHelpMessage = () => {};
}

/** The names of all options that a command line knows. */
function optionNames({ parsed }: Argv): string[] {
  if (parsed === false) return [];
  return Object.keys(parsed.aliases).filter((name) => !/[A-Z]/.test(name));
}

/** The command that runs, with its arguments, such as `show <file>`. */
function usageOf(cli: Argv & Partial<Internals>): string {
  return cli.getInternalMethods?.().getContext().fullCommands.at(-1) ?? '';
}

/** Options that can be repeated. */
const repeatable: ReadonlySet<string> = new Set([
  '_',
  'files',
  'report',
  'goldens',
  'allow-host',
  'env',
  'fault',
]);

/** Commands that take a command after `--`. */
const takesCommand: ReadonlySet<string> = new Set(['record', 'init', 'check']);

/** Options that need no value. */
const mayBeEmpty: ReadonlySet<string> = new Set(['client']);

/** Options whose value is a list. */
const lists: ReadonlySet<string> = new Set(['codex', 'scenario', 'lane']);

/** Throws ParityError for repeated options, empty values, and values that are not numbers where one is expected. */
function checkOptions(
  { '--': command, ...options }: Readonly<Record<string, unknown>>,
  args: readonly string[],
): true {
  if (command !== undefined && !(Array.isArray(options._) && takesCommand.has(String(options._[0])))) {
    throw new ParityError('usage', 'only record, init and check --client take a command after --');
  }
  for (const [name, value] of Object.entries(options)) {
    // Yargs adds a camel-case copy of each option.
    if (/[A-Z]/.test(name)) continue;
    if (value === '' && !mayBeEmpty.has(name))
      throw new ParityError('usage', `--${name} is empty: give it a value`);
    if (Number.isNaN(value)) throw notANumber(name, args);
    if (!Array.isArray(value) || repeatable.has(name)) continue;
    const advice = lists.has(name) ? 'separate its values with commas' : 'give it once';
    throw new ParityError('usage', `--${name} is repeated: ${advice}`);
  }
  return true;
}

/** Prints an error and returns its exit code. */
function reportError(error: unknown): number {
  if (error instanceof ParityError) {
    // It may quote the output of a subject, or a file.
    console.error(`codex-parity: ${terminalLine(error.message)}`);
    return error.exitCode;
  }
  // A system error about a path, port or host: the user can correct it.
  if (error instanceof Error && 'syscall' in error && 'code' in error) {
    console.error(`codex-parity: ${terminalLine(`${subjectOf(error)}${plainReason(error)}`)}`);
    return 2;
  }
  // Unexpected, so a bug: print the stack.
  console.error(terminalText(`codex-parity: internal error; please report it: ${inspect(error)}`));
  return 3;
}

/** The path, port or host of a system error, as the start of a message; empty if it has none. */
function subjectOf(error: Error): string {
  if ('path' in error) return `${error.path}: `;
  if ('port' in error) return `port ${error.port}: `;
  return 'hostname' in error ? `${error.hostname}: ` : '';
}
