import { terminalLine } from '../report/escape.ts';

/** Prints a progress line to standard error. Standard output is for results. */
export function progress(line: string): void {
  console.error(terminalLine(line));
}

/** Milliseconds between two lines of progress where they stay, such as in the log of a CI system. */
const betweenLines = 10_000;

/** Shows progress in one line of a terminal, each time in place of the last. Elsewhere prints a line now and then. */
export class ProgressLine {
  #isShown = false;
  #printed = Number.NEGATIVE_INFINITY;

  readonly show = (line: string): void => {
    const { stderr } = process;
    if (!stderr.isTTY) {
      const now = performance.now();
      if (now - this.#printed < betweenLines) return;
      this.#printed = now;
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
