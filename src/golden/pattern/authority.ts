import type { HeaderField } from '../../trace/trace-event.ts';

/** In a golden, the host that the connection was opened to. No variable has this name. */
export const authorityName = 'authority';
export const authorityMark = `{{${authorityName}}}`;

/** The headers, with `replacement` as the value of each Host header whose value is `host`. */
export function replaceHost(
  headers: readonly HeaderField[],
  host: string,
  replacement: string,
): readonly HeaderField[] {
  return headers.map(([name, value]): HeaderField => {
    const matches = name.toLowerCase() === 'host' && value.kind === 'string' && value.value === host;
    return [name, matches ? { kind: 'string', value: replacement } : value];
  });
}
