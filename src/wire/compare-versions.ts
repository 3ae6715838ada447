/**
 * Orders versions by their parts, as numbers, and what is before a release before it: 0.99.0, 0.118.0-alpha.9,
 * 0.118.0-alpha.10, 0.118.0.
 */
export function compareVersions(one: string, other: string): number {
  const [release = '', ...before] = one.split('-');
  const [otherRelease = '', ...otherBefore] = other.split('-');
  return (
    numerically(release, otherRelease) ||
    Number(before.length === 0) - Number(otherBefore.length === 0) ||
    numerically(before.join('-'), otherBefore.join('-'))
  );
}

function numerically(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true });
}
