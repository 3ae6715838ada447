import type { HeaderField } from '../../trace/trace-event.ts';

/** In a golden, the host that the connection was opened to. No variable has this name. */
export const authorityName = 'authority';
export const authorityMark = `{{${authorityName}}}`;

/** The host that the official client connects to without a proxy, by lane (measured: codex 0.118.0 to 0.169.0). */
export function officialHost(lane: string): string {
  return lane === 'api-key' ? 'api.openai.com' : 'chatgpt.com';
}

/** The headers, with `replacement` as the value of each Host or :authority that names one of the hosts. */
export function replaceHost(
  headers: readonly HeaderField[],
  hosts: readonly string[],
  replacement: string,
): readonly HeaderField[] {
  return headers.map(([name, value]): HeaderField => {
    const isHost = name.toLowerCase() === 'host' || name === ':authority';
    const matches = isHost && value.kind === 'string' && hosts.includes(value.value);
    return [name, matches ? { kind: 'string', value: replacement } : value];
  });
}
