/** Prints a progress line to standard error. Standard output is for results. */
export function progress(line: string): void {
  console.error(line);
}
