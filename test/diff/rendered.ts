import type { Finding } from '../../src/diff/finding.ts';
import { severityOf } from '../../src/diff/severity.ts';
import type { Mismatch } from '../../src/golden/match/mismatch.ts';
import { wordsOf } from '../../src/report/text.ts';
import { differenceText, placeText } from '../../src/report/values.ts';

/** A finding as a report shows it. */
export function rendered(finding: Finding) {
  const { comparison, kind } = finding;
  return { comparison, kind, severity: severityOf(finding), ...wordsOf(finding) };
}

/** A finding or mismatch in one line: kind, places in the first exchange, expected, actual. */
export function line(mismatch: Mismatch): string {
  const { expected, actual } = differenceText(mismatch);
  const places = mismatch.places.map((place) => placeText(place).replace('exchange 1 › ', ''));
  return [mismatch.kind, places.join(', '), expected, actual].join(' | ');
}
