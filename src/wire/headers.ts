/**
 * Headers as they are sent: pairs in wire order, names in wire case, duplicates kept. Order, case and duplicates are
 * part of the protocol, so headers are never kept in a map.
 */
export type HeaderList = ReadonlyArray<readonly [name: string, value: string]>;

/** The value of the first header with this name, ignoring case. */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  const lower = name.toLowerCase();
  for (const [key, value] of headers) {
    // Most names differ in length already.
    if (key.length === lower.length && key.toLowerCase() === lower) return value;
  }
  return undefined;
}

/** The values of headers by their names in lower case. The first header with a name counts. */
export function headerValues(headers: HeaderList): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (!values.has(lower)) values.set(lower, value);
  }
  return values;
}

/** Converts Node's flat list of names and values (`rawHeaders`) to pairs. */
export function pairHeaders(rawHeaders: readonly string[]): HeaderList {
  const headers: [name: string, value: string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    headers.push([rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '']);
  return headers;
}
