/** The hosts that the official client contacts for models and sign-in. Connections to others are not decoded. */
export const interceptedHosts: readonly string[] = [
  'chatgpt.com',
  '*.chatgpt.com',
  'api.openai.com',
  'auth.openai.com',
];

/** True when a pattern matches the host, ignoring case. A leading `*.` matches one or more labels. */
export function matchesHost(host: string, patterns: readonly string[]): boolean {
  const lower = host.toLowerCase();
  return patterns.some((pattern) =>
    pattern.startsWith('*.')
      ? lower.endsWith(pattern.slice(1).toLowerCase())
      : lower === pattern.toLowerCase(),
  );
}
