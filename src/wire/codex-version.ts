/**
 * Compares versions numerically, part by part, for Array.sort. A pre-release comes before its release: 0.99.0,
 * 0.118.0-alpha.9, 0.118.0-alpha.10, 0.118.0.
 */
export function compareVersions(a: string, b: string): number {
  if (a === b) return 0;
  const [releaseA = '', ...preReleaseA] = a.split('-');
  const [releaseB = '', ...preReleaseB] = b.split('-');
  return (
    compareNumerically(releaseA, releaseB) ||
    Number(preReleaseA.length === 0) - Number(preReleaseB.length === 0) ||
    compareNumerically(preReleaseA.join('-'), preReleaseB.join('-'))
  );
}

/** Compares the numbers in two texts as numbers, and what is between them as text. */
function compareNumerically(a: string, b: string): number {
  const partsB = numbersAndTexts(b);
  for (const part of numbersAndTexts(a)) {
    const other = partsB.shift() ?? '';
    const areNumbers = startsWithDigit.test(part) && startsWithDigit.test(other);
    const order = areNumbers ? compare(Number(part), Number(other)) : compare(part, other);
    if (order !== 0) return order;
  }
  return partsB.length > 0 ? -1 : 0;
}

const startsWithDigit = /^\d/;

function numbersAndTexts(text: string): string[] {
  return text.match(/\d+|\D+/g) ?? [];
}

/** Compares two texts or numbers for Array.sort. Unlike `localeCompare`, it needs no megabytes of rules and their caches. */
export function compare<Value extends string | number>(a: Value, b: Value): number {
  return Number(a > b) - Number(a < b);
}

const versionForm = /^\d+\.\d+\.\d+(-[0-9A-Za-z]+([.-][0-9A-Za-z]+)*)?$/;

/** Whether a text is an exact version, such as `0.169.0` or `0.170.0-alpha.3`, and not a range or tag. */
export function isVersion(text: string): boolean {
  return versionForm.test(text);
}
