import { type RawData, WebSocket } from 'ws';
import { type JsonNode, printJson, tryParseJson } from '../wire/json.ts';

/** Above this many bytes waiting to be sent, the other side is not read from. */
const highWater = 1024 * 1024;

/**
 * Joins a client's websocket and the backend's: requests go up as `shape` makes them, events come down untouched,
 * closes and lost connections are passed on. A message that is no JSON object goes up as it came. `said` is what
 * the client said before the backend was there.
 */
export function relay(
  client: WebSocket,
  backend: WebSocket,
  shape: (heard: JsonNode) => JsonNode,
  said: readonly Buffer[],
): void {
  const shaped = (data: Buffer) => {
    const heard = tryParseJson(data.toString('utf8'))?.node;
    return heard?.kind === 'object' ? Buffer.from(printJson(shape(heard)), 'utf8') : data;
  };
  for (const message of said) backend.send(shaped(message), { binary: false });
  forward(client, backend, shaped);
  forward(backend, client, (data) => data);
  // The official client ends its connections without a close message (measured: codex 0.169.0).
  client.once('close', () => backend.terminate());
  backend.once('close', (code, reason) => {
    if (code === 1005 || code === 1006) client.terminate();
    else client.close(code, reason);
  });
  client.on('error', () => backend.terminate());
  backend.on('error', () => client.terminate());
  client.resume();
  backend.resume();
}

function forward(from: WebSocket, to: WebSocket, change: (data: Buffer) => Buffer): void {
  from.on('message', (raw: RawData, binary: boolean) => {
    const data = toBuffer(raw);
    if (to.readyState !== WebSocket.OPEN) return;
    to.send(binary ? data : change(data), { binary }, () => {
      if (to.bufferedAmount < highWater && from.isPaused) from.resume();
    });
    if (to.bufferedAmount >= highWater) from.pause();
  });
}

/** Whatever form the library gives a message in, as one buffer. */
export function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
