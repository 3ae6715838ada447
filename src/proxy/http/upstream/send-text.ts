import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { frameInPlace, frameMargin } from '../../../wire/websocket-frame.ts';
import { returnScratch, scratchLength, takeScratch } from '../scratch.ts';

/** A text that may be longer in UTF-8 is counted first. */
const mostBytes = scratchLength - frameMargin;

/**
 * Sends the parts of a text as one message to the backend, and calls `onSent` when the system has it, or there is an error. Writes
 * the frame itself if the websocket has no compression: the library would copy the text twice more, each time into new memory.
 *
 * @param websocket is open
 * @param raw the socket below it
 */
export function sendText(
  websocket: WebSocket,
  raw: Duplex,
  parts: readonly string[],
  onSent: () => void,
): void {
  if (websocket.extensions !== '') {
    // The library would count the bytes of a string first.
    websocket.send(Buffer.from(parts.join('')), { binary: false }, onSent);
    return;
  }
  const units = parts.reduce((sum, part) => sum + part.length, 0);
  // A UTF-16 code unit has up to three bytes in UTF-8.
  const length = 3 * units <= mostBytes ? 0 : parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
  const isShort = length <= mostBytes;
  const bytes = isShort ? takeScratch() : Buffer.allocUnsafeSlow(frameMargin + length);
  let at = frameMargin;
  for (const part of parts) at += bytes.write(part, at);
  raw.write(frameInPlace(bytes, at - frameMargin), () => {
    if (isShort) returnScratch(bytes);
    onSent();
  });
}
