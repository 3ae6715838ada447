/**
 * A proxy that sends requests upstream over HTTP/2 as the official client does, through the forward proxy in HTTPS_PROXY. A
 * variant has one thing otherwise: `pseudo-headers`, `settings`, `window` or `http/1.1`:
 *
 *     node http2-proxy.ts PORT VARIANT
 */

import { createServer, type IncomingMessage } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, type Settings } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { connect as connectTls, type TLSSocket } from 'node:tls';

const [port, variant = 'none'] = process.argv.slice(2);
const forward = new URL(process.env.HTTPS_PROXY ?? '');
const host = 'chatgpt.com';

/** A TLS connection to the backend that offers these ALPN protocols. */
async function secure(protocols: string[]): Promise<TLSSocket> {
  const socket: Socket = connect(Number(forward.port), forward.hostname);
  socket.write(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  const offer = protocols.length === 0 ? {} : { ALPNProtocols: protocols };
  const tls = connectTls({ socket, servername: host, ...offer });
  await new Promise((resolve, reject) => tls.once('secureConnect', resolve).once('error', reject));
  return tls;
}

/** In the order in which Node writes them, which is that of the official client. */
const settings: Settings = {
  enablePush: false,
  initialWindowSize: variant === 'settings' ? 65_535 : 2_097_152,
  maxFrameSize: 16_384,
  maxHeaderListSize: 16_384,
};

async function session(): Promise<ClientHttp2Session> {
  const tls = await secure(['h2', 'http/1.1']);
  const client = connectHttp2(`https://${host}`, { createConnection: () => tls, settings });
  client.on('error', () => {});
  await new Promise((resolve) => client.once('connect', resolve));
  if (variant !== 'window') client.setLocalWindowSize(5_242_880);
  return client;
}

function pairsOf({ rawHeaders }: IncomingMessage): [string, string][] {
  return rawHeaders.flatMap((name, at): [string, string][] =>
    at % 2 === 0 ? [[name, /^host$/i.test(name) ? host : (rawHeaders[at + 1] ?? '')]] : [],
  );
}

/** The request as it was received, with the name of the backend. */
function headOf(request: IncomingMessage): string {
  const lines = pairsOf(request).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${request.method} ${request.url} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

createServer(async (request, response) => {
  if (request.method !== 'POST') {
    response.writeHead(404).end();
    return;
  }
  const body = await buffer(request);
  if (variant === 'http/1.1') {
    const upstream = await secure(['http/1.1']);
    upstream.write(headOf(request));
    upstream.write(body);
    upstream.pipe(request.socket);
    return;
  }
  const client = await session();
  const pseudo = [':method', 'POST', ':scheme', 'https', ':authority', host, ':path', request.url ?? ''];
  const ordered = variant === 'pseudo-headers' ? [...pseudo.slice(6), ...pseudo.slice(0, 6)] : pseudo;
  const headers = pairsOf(request).filter(([name]) => name !== 'host');
  const stream = client.request([...ordered, ...headers.flat()]);
  stream.on('response', ({ ':status': status = 502, ...received }) => {
    response.writeHead(status, { 'content-type': received['content-type'] ?? 'text/plain' });
    stream.pipe(response);
  });
  stream.on('end', () => client.close());
  stream.end(body);
})
  .on('upgrade', async (request, socket: Socket) => {
    socket.on('error', () => {});
    const upstream = await secure([]);
    upstream.on('error', () => {}).write(headOf(request));
    upstream.pipe(socket).pipe(upstream);
  })
  .listen(Number(port), '127.0.0.1');
