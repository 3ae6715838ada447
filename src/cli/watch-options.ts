import type { Options } from 'yargs';
import type { GoldenFolders } from '../golden/select.ts';
import type { RunningWatch } from '../watch/start-watch.ts';
import { mustBePort } from './options.ts';
import { progress } from './progress.ts';

/** The port of the live page, unless another one is chosen. */
const defaultPagePort = 8351;

export type WatchViewOptions = {
  readonly page: number;
  readonly golden: string | undefined;
  readonly goldens: GoldenFolders;
};

/** Declares the options of a live view. `when` is appended to the help of options that only sometimes apply. */
export function watchViewOptions(when = '') {
  return {
    page: {
      requiresArg: true,
      type: 'number',
      default: defaultPagePort,
      describe: `Port of the page for a browser${when}`,
    },
    golden: {
      type: 'string',
      defaultDescription: 'the one that fits the client, its tier and its transport',
      describe: `Golden to compare each session with, by its file or name${when}`,
    },
  } as const satisfies Readonly<Record<string, Options>>;
}

/** Starts a live view that prints to standard output. Throws ParityError if its port is in use, or without the golden. */
export async function openWatch(
  { page, golden, goldens }: WatchViewOptions,
  about: { readonly listen: string; readonly upstream: string },
): Promise<RunningWatch> {
  mustBePort('page', page);
  const { startWatch } = await import('../watch/start-watch.ts');
  return await startWatch({
    ...{ goldens, golden, pagePort: page, about },
    colours: process.stdout.isTTY && process.env.NO_COLOR === undefined,
    onLine: (line) => process.stdout.write(`${line}\n`),
    onProblem: progress,
  });
}
