import { comparedNode } from '../golden/match/mismatch.ts';
import { matchNames } from '../golden/match/names.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import type { HeaderField } from '../trace/trace-event.ts';
import { compareVersions } from '../wire/codex-version.ts';
import type { Finding } from './finding.ts';

/** The headers of a model request of each version, by method. */
export type VersionHeaders = ReadonlyMap<string, ReadonlyMap<string, readonly HeaderField[]>>;

/** Which version a subject looks like. */
export type VersionFit = {
  /** The version in its headers; absent if it names none. */
  readonly announces?: string;
  /** The versions whose header names fit best. */
  readonly fits: readonly string[];
  /** Header names that only these versions have. */
  readonly shownBy: readonly string[];
};

/** Compares the header names of a request with those of all versions. Undefined if no version has such a request. */
export function versionFit(
  { request }: Pick<Exchange, 'request'>,
  known: VersionHeaders,
): VersionFit | undefined {
  const names = request.headers.map(([name]) => name);
  const rated = [...known].flatMap(([version, byMethod]) => {
    const expected = byMethod.get(request.method)?.map(([name]) => name);
    return expected === undefined ? [] : [{ version, expected, distance: distanceBetween(expected, names) }];
  });
  if (rated.length === 0) return undefined;
  const least = Math.min(...rated.map(({ distance }) => distance));
  const [best, others] = [
    rated.filter(({ distance }) => distance === least),
    rated.filter(({ distance }) => distance > least),
  ];
  const elsewhere = new Set(others.flatMap(({ expected }) => expected));
  const announces = announcedVersion(request.headers);
  return {
    ...(announces === undefined ? {} : { announces }),
    fits: best.map(({ version }) => version).sort(compareVersions),
    shownBy: names.filter(
      (name) => !elsewhere.has(name) && best.every(({ expected }) => expected.includes(name)),
    ),
  };
}

function distanceBetween(expected: readonly string[], actual: readonly string[]): number {
  const { missing, added, renamed, moved } = matchNames(expected, actual, () => false);
  return missing.length + added.length + renamed.length + Math.min(1, moved.length);
}

/** The version in the header `version`, or after the first product of the user agent. */
function announcedVersion(headers: readonly HeaderField[]): string | undefined {
  const textOf = (wanted: string) => {
    const value = headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
    return value?.kind === 'string' ? value.value : '';
  };
  const [, version] =
    /^(\d+\.\d+\.\d+\S*)$/.exec(textOf('version')) ??
    /^[^/\s]+\/(\d+\.\d+\.\d+\S*)/.exec(textOf('user-agent')) ??
    [];
  return version;
}

/**
 * Findings that the version of a subject explains have it as their origin: it announces another version than the one that
 * is checked, looks like it, and the difference is one between the two.
 */
export function withVersion(
  findings: readonly Finding[],
  { announces, fits }: VersionFit,
  { codex, known }: { readonly codex: string; readonly known: VersionHeaders },
): Finding[] {
  const nearest = [...known.keys()].filter(
    (version) => announces !== undefined && compareVersions(version, announces) <= 0,
  );
  const shape = nearest.sort(compareVersions).at(-1);
  if (
    announces === undefined ||
    announces === codex ||
    shape === undefined ||
    shape === codex ||
    !fits.includes(shape)
  )
    return [...findings];
  const headers = new Map([...(known.get(shape)?.values() ?? [])].flat());
  return findings.map((finding): Finding => {
    if (finding.cause !== undefined || !isOfVersion(finding, headers)) return finding;
    return { ...finding, cause: { type: 'other version', version: announces } };
  });
}

function isOfVersion(finding: Finding, headers: ReadonlyMap<string, HeaderField[1]>): boolean {
  if (!finding.places.every(({ part, path }) => part === 'handshake' && path.length === 1)) return false;
  const names = finding.places.map(({ path }) => String(path[0]));
  switch (finding.kind) {
    case 'missing':
      return names.every((name) => !headers.has(name));
    case 'added':
      return names.every((name) => headers.has(name));
    case 'renamed':
      return headers.has(finding.to) && !headers.has(finding.from);
    case 'changed':
      return names.every(
        (name) => name === 'version' || name === 'user-agent' || isValue(finding, headers.get(name)),
      );
    case 'moved':
      return 'order' in finding && isInOrder(finding.order.actual, [...headers.keys()]);
    default:
      return false;
  }
}

function isValue(finding: Finding, value: HeaderField[1] | undefined): boolean {
  const node = comparedNode(finding, 'actual');
  return node?.kind === 'string' && value?.kind === 'string' && node.value === value.value;
}

function isInOrder(names: readonly string[], order: readonly string[]): boolean {
  const places = names.map((name) => order.indexOf(name)).filter((place) => place !== -1);
  return places.every((place, at) => at === 0 || (places[at - 1] ?? 0) < place);
}
