import { ParityError } from '../src/errors.ts';

/** Runs the program: it exits with the returned code, or with 2 and one line for a ParityError or a wrong option. */
export async function runMain(main: () => number | Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof ParityError) && !isOptionError(error)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}

/** Whether `parseArgs` threw the error. */
function isOptionError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');
}
