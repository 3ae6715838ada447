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
  const groups = Map.groupBy(
    causeCodes,
    (code) => partsOf(code)?.topic ?? connectionPart.exec(code)?.[1] ?? code,
  );
  const width = Math.max(...[...groups.keys()].map(({ length }) => length)) + 2;
  const lines = [...groups].map(([topic, codes]) => {
    const [code] = codes;
    const isTopic = codes.length > 1;
    const name = isTopic ? `${topic}-…` : topic;
    const parts = codes.flatMap((one) => connectionPart.exec(one)?.[2] ?? []);
    if (code === undefined) return name;
    const text =
      parts.length > 0 ? `… is ${parts.join(', ')}` : causeText(code).title.replace(/ missing$/, '');
    return `${name.padEnd(width)}  ${severityOfCode(code).padEnd(8)}  ${text}`;
  });
  return `${lines.join('\n')}\n\nElsewhere … is one of ${verbs.join(', ')}.\n`;
}

/** The codes of what a client chooses for a connection: TLS or HTTP/2, and the part of it. */
const connectionPart = /^(wire\/(?:tls|http2))-(.+)$/;
