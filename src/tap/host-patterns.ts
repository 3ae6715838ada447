/** The hosts that the official client talks to about models and sign-in; everything else is none of our business. */
export const interceptedHosts: readonly string[] = [
  'chatgpt.com',
  '*.chatgpt.com',
  'api.openai.com',
  'auth.openai.com',
];

/** True when a pattern names the host, without case; `*.` at the start of a pattern stands for one or more labels. */
export function matchesHost(host: string, patterns: readonly string[]): boolean {
  const given = host.toLowerCase();
  return patterns.some((pattern) =>
    pattern.startsWith('*.')
      ? given.endsWith(pattern.slice(1).toLowerCase())
      : given === pattern.toLowerCase(),
  );
}
