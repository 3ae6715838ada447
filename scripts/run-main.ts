import { ParityError } from '../src/errors.ts';

/** Runs the program: it exits with the returned code, or with 2 and one line for a ParityError. */
export async function runMain(main: () => number | Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof ParityError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
