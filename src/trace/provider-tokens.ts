import { rules } from '@secretlint/secretlint-rule-preset-recommend';

/** What a rule of secretlint needs. Its own types come in a package of their own. */
type ScanRule = {
  create(
    context: {
      readonly sharedOptions: object;
      createTranslator(): () => { readonly message: string };
      report(found: { readonly range: readonly [start: number, end: number] }): void;
      ignore(): void;
    },
    options: object,
  ): { file?(source: object): unknown };
};

/** Where tokens of well-known providers are in a text, as the rules of secretlint recognise them. */
export type TokenRanges = readonly (readonly [start: number, end: number])[];

/** Tokens have a long run of such characters, not all in lower case. UUIDs are not tokens. */
const candidate = /(?=[\w-]*[\dA-Z])[\w-]{16}|:\/\/|-----BEGIN/;
const uuid = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/gi;

/** The same texts occur again and again in a trace, and a scan takes 50 µs. */
const scanned = new Map<string, TokenRanges>();
const mostScanned = 4096;

let found: (readonly [number, number])[] = [];
const scanners = (rules as readonly ScanRule[]).map((rule) =>
  rule.create(
    {
      sharedOptions: {},
      createTranslator: () => () => ({ message: '' }),
      report: ({ range }) => found.push(range),
      ignore: () => {},
    },
    { enableIDScanRule: true },
  ),
);

export function scanForTokens(text: string): TokenRanges {
  if (!candidate.test(text.replaceAll(uuid, ''))) return [];
  const known = scanned.get(text);
  if (known !== undefined) return known;
  found = [];
  for (const scanner of scanners)
    scanner.file?.({ filePath: '', ext: '.txt', content: text, contentType: 'text' });
  if (scanned.size >= mostScanned) scanned.clear();
  scanned.set(text, found);
  return found;
}
