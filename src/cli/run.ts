import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import yargs from 'yargs';
import { ParityError } from '../errors.ts';
import { checkCommand } from './check.ts';
import type { CommandContext } from './context.ts';
import { diffCommand } from './diff.ts';
import { doctorCommand } from './doctor.ts';
import { driftCommand } from './drift.ts';
import { proxyCommand } from './proxy.ts';
import { recordCommand } from './record.ts';
import { showCommand } from './show.ts';

/** Runs the command line; resolves to the exit code. Errors meant for the user are printed as one line. */
export async function run(args: readonly string[]): Promise<number> {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort(new ParityError('interrupted', 'interrupted'));
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  let exitCode = 0;
  const context: CommandContext = {
    signal: interruption.signal,
    exit: (code) => {
      exitCode = code;
    },
  };
  try {
    await yargs([...args])
      .scriptName('codex-parity')
      .usage('$0 COMMAND\n\nRecords what the official Codex client sends, and checks any proxy against it.')
      .command(recordCommand(context))
      .command(checkCommand(context))
      .command(diffCommand(context))
      .command(showCommand())
      .command(driftCommand())
      .command(proxyCommand(context))
      .command(doctorCommand(context))
      .demandCommand(1, 'name a command: record, check, diff, show, drift, proxy or doctor')
      .strict()
      .version(version())
      .epilogue('Exit codes: 0 parity, 1 findings, 2 wrong use or input, 3 codex-parity itself failed.')
      .wrap(110)
      .fail((message, error) => {
        throw error ?? new ParityError('usage', `${message} (see codex-parity --help)`);
      })
      .parserConfiguration({ 'populate--': true })
      .parseAsync();
    return exitCode;
  } catch (error) {
    return report(error);
  } finally {
    process.removeListener('SIGINT', interrupt);
    process.removeListener('SIGTERM', interrupt);
  }
}

function report(error: unknown): number {
  if (error instanceof ParityError) {
    console.error(`codex-parity: ${error.message}`);
    return error.exitCode;
  }
  // Not foreseen, so a fault of the program: here the stack is what helps.
  console.error('codex-parity: internal error, please report it:', error);
  return 3;
}

function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8'),
  );
  return manifest.version;
}
