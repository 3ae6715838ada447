/**
 * Compares versions numerically, part by part, for Array.sort. A pre-release comes before its release: 0.99.0,
 * 0.118.0-alpha.9, 0.118.0-alpha.10, 0.118.0.
 */
export function compareVersions(a: string, b: string): number {
  const [releaseA = '', ...preReleaseA] = a.split('-');
  const [releaseB = '', ...preReleaseB] = b.split('-');
  return (
    compareNumerically(releaseA, releaseB) ||
    Number(preReleaseA.length === 0) - Number(preReleaseB.length === 0) ||
    compareNumerically(preReleaseA.join('-'), preReleaseB.join('-'))
  );
}

function compareNumerically(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

const versionForm = /^\d+\.\d+\.\d+(-[0-9A-Za-z]+([.-][0-9A-Za-z]+)*)?$/;

/** Whether a text is an exact version, such as `0.169.0` or `0.170.0-alpha.3`, and not a range or tag. */
export function isVersion(text: string): boolean {
  return versionForm.test(text);
}
