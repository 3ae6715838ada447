import type { RawData } from 'ws';

/** The bytes of a websocket message, in whichever form `ws` returns it. */
export function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
