import type { HeaderField } from '../../trace/trace-event.ts';

/** Stands in a golden for the host that the connection itself was opened to; no variable has this name. */
export const authorityName = 'authority';
export const authorityMark = `{{${authorityName}}}`;

/** The headers, with another value where a Host header has this one. */
export function replaceHost(
  headers: readonly HeaderField[],
  host: string,
  other: string,
): readonly HeaderField[] {
  return headers.map(([name, value]): HeaderField => {
    const isIt = name.toLowerCase() === 'host' && value.kind === 'string' && value.value === host;
    return isIt ? [name, { kind: 'string', value: other }] : [name, value];
  });
}
