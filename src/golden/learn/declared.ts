/** A text that the host decides, although recordings made on one machine cannot show that it varies. */
export type HostTextRule = {
  /** The key or header that holds it, in lower case. */
  readonly key: string;
  /** Its first group matches the text. It needs the flag `d`. */
  readonly text: RegExp;
  readonly why: string;
};

/**
 * Together with `racedValues`, everything that is declared by hand. All other variables of a golden differed between
 * recordings; what was equal in all recordings stays literal.
 */
const hostTextRules: readonly HostTextRule[] = [
  {
    key: 'user-agent',
    text: /^[^()]*\(([^()]*)\)/d,
    why: 'operating system, its version and the processor, as in "(Debian 12.0.0; x86_64)"',
  },
  {
    key: 'sandbox',
    text: /^(.*)$/d,
    why: 'the name of the sandbox: "seccomp" on Linux, others on macOS and Windows',
  },
  {
    key: 'content-length',
    text: /^(.*)$/d,
    why: 'the compressed length of a body that contains texts of the host: a few runs may agree by chance',
  },
];

/**
 * A value that two parts of the client race for when it resumes a thread. The scheduling of the host decides which of them
 * wins, and all recordings of one machine may end the same way.
 */
type RacedValue = {
  /** The key that holds it, in lower case. */
  readonly key: string;
  readonly why: string;
};

const racedValues: readonly RacedValue[] = [
  {
    key: 'context_window_id',
    why:
      'the client opens the connection and the history at once; until it has read the history, it names a new window, ' +
      'then that of the thread (measured: codex 0.169.0, scenario resume: the handshake names the new one in 3 of 20 ' +
      'to 7 of 50 runs)',
  },
];

/**
 * The rule for the value at a path of keys. A header is a pair of its name and its value; both have a path that contains
 * the name.
 */
export function hostTextRuleFor(path: readonly string[]): HostTextRule | undefined {
  if (path[0] === 'headers' && path.at(-1) === '0') return undefined;
  const key = lastKey(path);
  return hostTextRules.find((rule) => rule.key === key);
}

/** Whether the client races for the value at a path of keys when it resumes a thread. */
export function isRaced(path: readonly string[]): boolean {
  const key = lastKey(path);
  return racedValues.some((value) => value.key === key);
}

function lastKey(path: readonly string[]): string | undefined {
  return path.findLast((part) => !/^\d+$/.test(part))?.toLowerCase();
}
