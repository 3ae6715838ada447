import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import yargs, { type Argv } from 'yargs';
import { ParityError, plainReason } from '../errors.ts';
import { onOneLine } from '../report/text.ts';
import type { CommandContext } from './command-context.ts';
import { wrongUse } from './usage.ts';

type Register = (cli: Argv, context: CommandContext) => Promise<Argv>;

/** The commands, in the order of the help. Each is loaded when it is needed: a proxy starts in half the time so. */
const commands: Readonly<Record<string, Register>> = {
  record: async (cli, context) => cli.command((await import('./record-command.ts')).recordCommand(context)),
  check: async (cli, context) => cli.command((await import('./check-command.ts')).checkCommand(context)),
  diff: async (cli, context) => cli.command((await import('./diff-command.ts')).diffCommand(context)),
  show: async (cli) => cli.command((await import('./show-command.ts')).showCommand()),
  drift: async (cli) => cli.command((await import('./drift-command.ts')).driftCommand()),
  proxy: async (cli, context) => cli.command((await import('./proxy-command.ts')).proxyCommand(context)),
  'bench-tier': async (cli, context) =>
    cli.command((await import('./bench-tier-command.ts')).benchTierCommand(context)),
  doctor: async (cli, context) => cli.command((await import('./doctor-command.ts')).doctorCommand(context)),
};

/** Runs the command line; resolves to the exit code. Errors meant for the user are printed as one line. */
export async function run(args: readonly string[]): Promise<number> {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort(new ParityError('interrupted', 'interrupted'));
  let exitCode = 0;
  const context: CommandContext = {
    // Heard by the commands that heed it: the others end at once.
    get signal() {
      for (const name of ['SIGINT', 'SIGTERM']) process.removeListener(name, interrupt).on(name, interrupt);
      return interruption.signal;
    },
    exit: (code) => {
      exitCode = code;
    },
  };
  try {
    const cli = yargs([...args])
      .scriptName('codex-parity')
      .usage('$0 COMMAND\n\nRecords what the official Codex client sends, and checks any proxy against it.')
      .demandCommand(1, `name a command: ${Object.keys(commands).join(', ')}`)
      .strict()
      .version(version())
      .epilogue('Exit codes: 0 parity, 1 findings, 2 wrong use or input, 3 codex-parity itself failed.')
      .wrap(110)
      .fail((message, error) => {
        // The library's own errors come as messages, but for some.
        if (error !== undefined && error.name !== 'YError') throw error;
        throw wrongUse(error?.message ?? message, args[0] ?? '', Object.keys(commands));
      })
      .parserConfiguration({
        'populate--': true,
        'dot-notation': false,
        'boolean-negation': false,
      })
      .check((options) => refuseUnclear(options));
    for (const register of commandsFor(args[0] ?? '')) await register(cli, context);
    await cli.parseAsync();
    return exitCode;
  } catch (error) {
    return report(error);
  } finally {
    process.removeListener('SIGINT', interrupt);
    process.removeListener('SIGTERM', interrupt);
  }
}

/** The command that is named first; all of them for help, or for a word that is no command. */
function commandsFor(word: string): Register[] {
  const named = Object.hasOwn(commands, word) ? commands[word] : undefined;
  return named === undefined ? Object.values(commands) : [named];
}

/** Options that may be given several times. */
const repeatable: ReadonlySet<string> = new Set(['_', 'report']);

/**
 * Throws ParityError for what is given twice, for an option without its value, and for what is no number where one must
 * be.
 */
function refuseUnclear({ '--': command, ...options }: Readonly<Record<string, unknown>>): true {
  if (command !== undefined && !(Array.isArray(options._) && options._[0] === 'record')) {
    throw new ParityError('usage', 'only record takes a command after --');
  }
  for (const [name, value] of Object.entries(options)) {
    // The library has each of several words twice, the second time in one word.
    if (/[A-Z]/.test(name)) continue;
    if (value === '') throw new ParityError('usage', `the value of ${name} is empty`);
    if (Number.isNaN(value)) throw new ParityError('usage', `--${name} must be a number`);
    if (!Array.isArray(value) || repeatable.has(name)) continue;
    throw new ParityError('usage', `--${name} is given more than once: separate its values by commas`);
  }
  return true;
}

function report(error: unknown): number {
  if (error instanceof ParityError) {
    // What a subject printed, or a file holds, may be quoted in it.
    console.error(`codex-parity: ${onOneLine(error.message)}`);
    return error.exitCode;
  }
  // What the system says about what was named is for the user to mend.
  if (error instanceof Error && 'syscall' in error && 'code' in error) {
    console.error(`codex-parity: ${onOneLine(`${namedIn(error)}${plainReason(error)}`)}`);
    return 2;
  }
  // Not foreseen, so a fault of the program: here the stack is what helps.
  console.error('codex-parity: internal error, please report it:', error);
  return 3;
}

/**
 * The file, port or host that an error of the system is about, as the beginning of a line; empty where it names none.
 */
function namedIn(error: Error): string {
  if ('path' in error) return `${error.path}: `;
  if ('port' in error) return `port ${error.port}: `;
  return 'hostname' in error ? `${error.hostname}: ` : '';
}

function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8'),
  );
  return manifest.version;
}
