import { terminalLine } from '../report/escape.ts';

/** Prints a progress line to standard error. Standard output is for results. */
export function progress(line: string): void {
  console.error(terminalLine(line));
}

/** Shows progress in one line of a terminal, each time in place of the last; elsewhere as `progress` does. */
export class ProgressLine {
  #isShown = false;

  readonly show = (line: string): void => {
    const { stderr } = process;
    if (!stderr.isTTY) {
      progress(line);
      return;
    }
    stderr.write(`${clear}${terminalLine(line).slice(0, (stderr.columns || 80) - 1)}`);
    this.#isShown = true;
  };

  /** Removes the line, so that results can follow. */
  clear(): void {
    if (this.#isShown) process.stderr.write(clear);
    this.#isShown = false;
  }
}

/** To the start of the line, and without its text (ECMA-48, EL). */
const clear = '\r\u001b[K';
