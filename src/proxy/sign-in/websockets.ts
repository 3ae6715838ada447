import { type JsonNode, member } from '../../wire/json.ts';

/**
 * Whether a sign-in may be used over the websocket. The official client speaks it with every sign-in it reads from a
 * file, ChatGPT's and API keys (measured: codex 0.169.0), so only a file that says otherwise is otherwise:
 * `"websockets": false`, which some proxies write as a string.
 */
export function usesWebSockets(file: JsonNode): boolean {
  const said = member(file, 'websockets');
  switch (said?.kind) {
    case 'literal':
      return said.value ?? true;
    case 'string':
      return said.value.trim().toLowerCase() !== 'false';
    default:
      return true;
  }
}
