import { join, relative } from 'node:path';
import { type CauseCode, causeCodes, partsOf, verbs } from '../diff/cause-code.ts';
import { severityOfCode } from '../diff/severity.ts';
import { causeText } from './cause-texts.ts';
import { familyOf } from './findings-page.ts';

/** The bundled pages about codes. */
const pages = join(import.meta.dirname, '..', '..', 'docs', 'findings');

/** What `codex-parity explain CODE` prints. */
export function explanation(code: CauseCode): string {
  const { title, effect, why, fix } = causeText(code);
  return [
    `${code} (${severityOfCode(code)})`,
    '',
    `  what    ${title}`,
    ...(effect === undefined ? [] : [`  effect  ${effect}`]),
    ...(why === undefined ? [] : [`  why     ${why}`]),
    `  fix     ${fix}`,
    `  page    ${relative(process.cwd(), join(pages, `${familyOf(code)}.md`))}`,
    '',
  ].join('\n');
}

/** All codes: those of one topic in one line. */
export function codeList(): string {
  const groups = Map.groupBy(causeCodes, (code) => partsOf(code)?.topic ?? code);
  const width = Math.max(...[...groups.keys()].map(({ length }) => length)) + 2;
  const lines = [...groups].map(([topic, codes]) => {
    const [code] = codes;
    const isTopic = codes.length > 1;
    const name = isTopic ? `${topic}-…` : topic;
    return `${name.padEnd(width)}  ${code === undefined ? '' : severityOfCode(code).padEnd(8)}  ${code === undefined ? '' : causeText(code).title.replace(/ missing$/, '')}`;
  });
  return `${lines.join('\n')}\n\n… is one of ${verbs.join(', ')}.\n`;
}
