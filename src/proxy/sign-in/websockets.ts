import { type JsonNode, member } from '../../wire/json.ts';

/**
 * Whether a sign-in may be used over the websocket. The official client uses the websocket with every ChatGPT sign-in and
 * API key (measured: codex 0.169.0). Account files of other proxies can forbid it by `"websockets": false`, which some of
 * them write as a string.
 */
export function usesWebSockets(file: JsonNode): boolean {
  const value = member(file, 'websockets');
  switch (value?.kind) {
    case 'literal':
      return value.value ?? true;
    case 'string':
      return value.value.trim().toLowerCase() !== 'false';
    default:
      return true;
  }
}
