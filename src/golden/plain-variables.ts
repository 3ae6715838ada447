import type { Line } from '../trace/line-file.ts';
import { braceClosed, braceOpen, closingQuote, colon, isAt, isTwice, stringEnd } from './json-bytes.ts';
import { jsonStart, sharedStart, unorderedStart } from './mark-bytes.ts';
import type { RecentNames } from './recent.ts';
import { nameEnd } from './template.ts';

/**
 * The variables in the JSON of a golden's line, in their order, as variablesOf gives them, but for those that were met
 * lately; undefined where braces are spelled out or stand for nothing, which needs the parser.
 */
export function freshVariablesIn(
  { bytes, end }: Line,
  start: number,
  documents: ReadonlyMap<string, Buffer>,
  recent: RecentNames,
): readonly string[] | undefined {
  const names: string[] = [];
  for (let at = bracesFrom(bytes, start, end); at < end; at = bracesFrom(bytes, at, end)) {
    const behind = nameEnd(bytes, at + 2);
    if (behind === at + 2 || !isTwice(bytes, behind, braceClosed)) return undefined;
    const close = closingQuote(bytes, behind + 2);
    if (bytes[close + 1] === colon) {
      // It is a key, and only the marks of objects may look like this.
      if (isAt(bytes, at - 2, sharedStart)) {
        const last = stringEnd(bytes, close + 2) ?? end;
        const document = documents.get(bytes.toString('utf8', close + 3, last - 1));
        const inner =
          document &&
          freshVariablesIn({ bytes: document, start: 0, end: document.length }, 0, documents, recent);
        if (inner === undefined) return undefined;
        for (const name of inner) names.push(name);
      } else if (!isAt(bytes, at - 2, jsonStart) && !isAt(bytes, at - 2, unorderedStart)) return undefined;
    } else {
      const name = recent.add(bytes, at + 2, behind);
      if (name !== undefined) names.push(name);
    }
    at = behind + 2;
  }
  return names;
}

/** Where two opening braces stand, or `end`. */
function bracesFrom(bytes: Buffer, start: number, end: number): number {
  // One of two such bytes in a row is seen where only every other one is looked at.
  for (let at = start + 1; at < end; at += 2) {
    if (bytes[at] !== braceOpen) continue;
    if (bytes[at - 1] === braceOpen) return at - 1;
    if (bytes[at + 1] === braceOpen) return at;
  }
  return end;
}
