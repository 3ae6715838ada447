/** Tells on standard error what is going on: standard output is for results. */
export function progress(line: string): void {
  console.error(line);
}
