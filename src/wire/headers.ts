/**
 * Headers as they are sent: pairs in wire order, names in wire case, duplicates kept. Order, case and duplicates are
 * part of the protocol, so headers are never kept in a map.
 */
export type HeaderList = ReadonlyArray<readonly [name: string, value: string]>;

/** The value of the first header with this name, ignoring case. */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  const lower = name.toLowerCase();
  return headers.find(([key]) => key.toLowerCase() === lower)?.[1];
}

/** Converts Node's flat list of names and values (`rawHeaders`) to pairs. */
export function pairHeaders(rawHeaders: readonly string[]): HeaderList {
  return rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ''] as const] : []));
}
