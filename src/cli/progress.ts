import { terminalLine } from '../report/escape.ts';

/** Prints a progress line to standard error. Standard output is for results. */
export function progress(line: string): void {
  console.error(terminalLine(line));
}
