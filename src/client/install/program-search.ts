/** What a process needs in order to find and start programs, on Windows too. */
const names = ['PATH', 'SystemRoot', 'ComSpec', 'PATHEXT', 'WINDIR'] as const;

/** The part of our own environment that every program we start gets; the rest is made up for it. */
export function programSearch(): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
