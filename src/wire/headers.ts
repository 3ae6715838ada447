/**
 * Headers as they travel: pairs in wire order, names in wire case, duplicates kept. There is no map of headers in
 * this code base, because order, case and duplicates are facts of the protocol.
 */
export type HeaderList = ReadonlyArray<readonly [name: string, value: string]>;

/** The value of the first header of that name, compared without case; undefined when there is none. */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  const wanted = name.toLowerCase();
  return headers.find(([given]) => given.toLowerCase() === wanted)?.[1];
}

/** Node's flat list of names and values (`rawHeaders`) as pairs. */
export function pairHeaders(rawHeaders: readonly string[]): HeaderList {
  return rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ''] as const] : []));
}
