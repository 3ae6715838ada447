/** The end of a command's help: examples, each a command line of its own below a comment, so that it can be copied. */
export function examples(list: readonly (readonly [comment: string, commandLine: string])[]): string {
  return `Examples:\n${list.map(([comment, commandLine]) => `  # ${comment}\n  ${commandLine}`).join('\n\n')}`;
}

/** The exit codes, with the meaning of 0. */
export function exitCodes(success: 'parity' | 'success'): string {
  return `Exit codes: 0 ${success}, 1 findings or a proxy that failed, 2 wrong usage or input, 3 internal error.`;
}
