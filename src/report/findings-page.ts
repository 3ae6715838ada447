import { type CauseCode, causeCodes, partsOf } from '../diff/cause-code.ts';
import { severityOfCode } from '../diff/severity.ts';
import { type CauseText, causeText } from './cause-texts.ts';
import { markdownText } from './escape.ts';

/** The family of a code: the part before the slash. */
export function familyOf(code: string): string {
  return code.slice(0, code.indexOf('/'));
}

export const families: readonly string[] = [...new Set(causeCodes.map(familyOf))];

/** The page of docs/findings about a family of codes, as Markdown. */
export function findingsPage(family: string): string {
  const codes = causeCodes.filter((code) => familyOf(code) === family);
  const groups = Map.groupBy(codes, (code) => partsOf(code)?.topic ?? code);
  return [
    `# Findings: ${family}`,
    'Written from `src/report/cause-texts.ts`; do not edit. [report.md](../report.md#causes) explains severities.',
    ...[...groups].map(([topic, own]) => section(topic, own)),
  ].join('\n\n');
}

/** Codes of one topic. What all of them share is said once. */
function section(topic: string, codes: readonly CauseCode[]): string {
  const texts = codes.map((code) => ({ code, severity: severityOfCode(code), ...causeText(code) }));
  const [usual] = texts.filter(({ code }) => partsOf(code)?.verb === 'moved' || partsOf(code) === undefined);
  const rows = texts.map(({ code, severity, title, why, effect, fix }) => {
    const ofItsOwn = [
      ...(why !== undefined && why !== usual?.why ? [why] : []),
      ...(effect !== undefined && effect !== usual?.effect ? [`effect: ${effect}`] : []),
      ...(fix === usual?.fix ? [] : [`to fix it: ${fix}`]),
    ];
    return `| \`${code}\` | ${severity} | ${markdownText([title, ...ofItsOwn].join('; '))} |`;
  });
  return [
    `## ${topic}`,
    ...(usual === undefined ? [] : common(usual)),
    ['| code | severity | meaning |', '| --- | --- | --- |', ...rows].join('\n'),
  ].join('\n\n');
}

function common({ effect, why, fix }: CauseText): string[] {
  return [
    ...(why === undefined ? [] : [`Why: ${markdownText(why)}.`]),
    ...(effect === undefined ? [] : [`Effect: ${markdownText(effect)}.`]),
    `To fix it: ${markdownText(fix)}`,
  ];
}
