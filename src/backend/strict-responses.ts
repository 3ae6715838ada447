import { rateLimits } from './response-events.ts';
import type { ScriptedResponse, StreamPart } from './scripted-response.ts';

/**
 * Returns a response as users of the real backend report it; the sources are in docs/protocol.md. Its last event has no
 * output items: those come in events of their own. Over the websocket, the rate limits come before the response begins.
 */
export function asReported(response: ScriptedResponse, transport: 'websocket' | 'http'): ScriptedResponse {
  if (response.kind !== 'stream' || response.parts.length === 0) return response;
  const parts = response.parts.map(withoutOutput);
  return { ...response, parts: transport === 'websocket' ? [rateLimits, ...parts] : parts };
}

function withoutOutput(part: StreamPart): StreamPart {
  if (typeof part === 'string' || Buffer.isBuffer(part) || part.type !== 'response.completed') return part;
  const { response } = part;
  return typeof response === 'object' ? { ...part, response: { ...response, output: [] } } : part;
}
