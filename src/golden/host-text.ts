/** A text that the host decides, although recordings made on one machine cannot show that it varies. */
export type HostTextRule = {
  /** The key or header it stands under, in lower case. */
  readonly key: string;
  /** Its first group is the text; with the `d` flag. */
  readonly text: RegExp;
  readonly why: string;
};

/** All that is declared by hand. Everything else in a golden was seen to vary, or is literal. */
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

/** The rule for the value at a path of keys; a header is a pair of its name and its value, both at a path that has its name. */
export function hostTextRule(path: readonly string[]): HostTextRule | undefined {
  if (path[0] === 'headers' && path.at(-1) === '0') return undefined;
  const key = path.findLast((part) => !/^\d+$/.test(part))?.toLowerCase();
  return hostTextRules.find((rule) => rule.key === key);
}
