import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  encodeFrame,
  frameFlags,
  frameTypes,
  Http2FrameDecoder,
  http2Preface,
} from '../../wire/http2-frame.ts';

/** Milliseconds for a server to send its settings. */
const patience = 1000;

/**
 * Whether a server serves HTTP/2: with TLS, whether it chooses it by ALPN; without, whether it accepts the settings of a client
 * that begins with HTTP/2 (RFC 9113, section 3.3). Connects once. A server that cannot be reached does not.
 */
export function speaksHttp2({ protocol, hostname, port }: URL): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (protocol === 'https:') {
    const socket = connectTls({
      host,
      port: Number(port || 443),
      ALPNProtocols: ['h2', 'http/1.1'],
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    return settled(socket, (settle) =>
      socket.once('secureConnect', () => settle(socket.alpnProtocol === 'h2')),
    );
  }
  const socket = connect({ host, port: Number(port || 80), noDelay: true });
  return settled(socket, (settle) => {
    const frames = new Http2FrameDecoder();
    socket.on('data', (bytes) => {
      frames.push(bytes);
      try {
        for (let frame = frames.next(); frame !== null; frame = frames.next()) {
          if (frame.type === frameTypes.GOAWAY) settle(false);
          if (frame.type === frameTypes.SETTINGS && (frame.flags & frameFlags.ack) > 0) settle(true);
        }
      } catch {
        // Text of HTTP/1.1 begins like a frame that is far too long.
        settle(false);
      }
    });
    socket.write(Buffer.concat([http2Preface, encodeFrame('SETTINGS')]));
  });
}

/** The answer of `listen`; false if the connection ends before, or nothing arrives in time. */
async function settled(
  socket: Socket,
  listen: (settle: (answer: boolean) => void) => void,
): Promise<boolean> {
  try {
    return await new Promise<boolean>((resolve) => {
      socket.on('error', () => {});
      socket.once('close', () => resolve(false));
      socket.setTimeout(patience, () => resolve(false));
      listen(resolve);
    });
  } finally {
    socket.destroy();
  }
}
