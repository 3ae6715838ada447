/** What a process needs to find and start programs, on Windows too. */
const names = ['PATH', 'SystemRoot', 'ComSpec', 'PATHEXT', 'WINDIR'] as const;

/** The only variables of our own environment that the programs we start inherit. */
export function programSearch(): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
