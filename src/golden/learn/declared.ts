/** A text that the host decides, although recordings made on one machine cannot show that it varies. */
export type HostTextRule = {
  /** The key or header it stands under, in lower case. */
  readonly key: string;
  /** Its first group is the text; with the `d` flag. */
  readonly text: RegExp;
  readonly why: string;
};

/**
 * With `racedValues`, all that is declared by hand. Everything else in a golden was seen to vary, or is literal; and
 * what agreed in all recordings must agree.
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
    why: 'the length of a body that holds texts of the host, packed: in a few runs it may be the same by chance',
  },
];

/**
 * A value that two parts of the client race for when it takes up a thread: the scheduling of the host decides which of
 * them is first, and recordings of one machine may all end one way.
 */
type RacedValue = {
  /** The key it stands under, in lower case. */
  readonly key: string;
  readonly why: string;
};

const racedValues: readonly RacedValue[] = [
  {
    key: 'context_window_id',
    why:
      'connection and history are opened at once; until the history is read it is a new window, then that of the thread ' +
      '(measured: codex 0.169.0, scenario resume: the handshake names the new one in 3 of 20 to 7 of 50 runs)',
  },
];

/**
 * The rule for the value at a path of keys; a header is a pair of its name and its value, both at a path that has its
 * name.
 */
export function hostTextRuleFor(path: readonly string[]): HostTextRule | undefined {
  if (path[0] === 'headers' && path.at(-1) === '0') return undefined;
  const key = keyOf(path);
  return hostTextRules.find((rule) => rule.key === key);
}

/** Whether the value at a path of keys is raced for where a thread is taken up. */
export function isRaced(path: readonly string[]): boolean {
  const key = keyOf(path);
  return racedValues.some((value) => value.key === key);
}

function keyOf(path: readonly string[]): string | undefined {
  return path.findLast((part) => !/^\d+$/.test(part))?.toLowerCase();
}
