import { subjectNames } from '../check/subject.ts';
import { lanes } from '../client/official/lanes.ts';
import { causeCodes } from '../diff/cause-code.ts';
import { defaultGoldens, layeredGoldens } from '../golden/select.ts';
import { reportFormats } from '../report/write.ts';

/** The values after a word that yargs does not know: of options, and of the command `explain`. */
const values: Readonly<Record<string, () => readonly string[]>> = {
  '--scenario': () => distinct(layeredGoldens(defaultGoldens()).map(({ scenario }) => scenario)),
  '--codex': () => ['latest', ...versions()],
  '--since': versions,
  '--lane': () => lanes,
  '--subject': () => subjectNames(process.cwd()),
  '--replay': () => ['latest', ...goldenNames()],
  '--report': () => reportFormats.map((format) => `${format}=`),
  explain: () => causeCodes,
};

/** The commands that take golden names. */
const namesGoldens: ReadonlySet<string> = new Set(['diff', 'show', 'replay', 'export']);

type YargsCompletions = (onCompleted: (error: Error | null, completions?: string[]) => void) => void;

/**
 * Completes the last word of a command line for yargs. Lists are separated by commas: the items before the last one stay as
 * they are.
 */
export function complete(
  current: string,
  { _: words = [] }: { readonly _?: unknown },
  standard: YargsCompletions,
  done: (completions: string[]) => void,
): void {
  const before = process.argv.at(-2) ?? '';
  const known = Object.hasOwn(values, before) ? values[before] : undefined;
  if (known !== undefined) {
    const kept = current.slice(0, current.lastIndexOf(',') + 1);
    const item = current.slice(kept.length);
    done(
      safely(known)
        .filter((value) => value.startsWith(item))
        .map((value) => kept + value),
    );
    return;
  }
  const isName = Array.isArray(words) && words.some((word) => namesGoldens.has(String(word)));
  const names = isName && !current.startsWith('-') ? ['latest', ...goldenNames()] : [];
  standard((_, completions = []) =>
    done([...completions, ...names.filter((name) => name.startsWith(current))]),
  );
}

function versions(): string[] {
  return distinct(layeredGoldens(defaultGoldens()).map(({ codex }) => codex));
}

function goldenNames(): string[] {
  return layeredGoldens(defaultGoldens()).map(({ codex, lane, scenario }) =>
    lane === 'chatgpt' ? `${codex}/${scenario}` : `${codex}/${lane}/${scenario}`,
  );
}

/** A configuration file that is not valid must not print errors while the user types. */
function safely(list: () => readonly string[]): readonly string[] {
  try {
    return list();
  } catch {
    return [];
  }
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
