import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { HostRewriter } from '../../src/tap/host-rewriter.ts';
import { startReverseTap } from '../../src/tap/reverse.ts';
import { closing, listening, observing } from './local.ts';

/** What comes out when bytes go in, in chunks of a length. */
async function rewritten(text: string, length: number): Promise<string> {
  const rewriter = new HostRewriter('chatgpt.com');
  const chunks: Buffer[] = [];
  rewriter.on('data', (chunk: Buffer) => chunks.push(chunk));
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += length) rewriter.write(bytes.subarray(at, at + length));
  rewriter.end();
  await once(rewriter, 'end');
  return Buffer.concat(chunks).toString('latin1');
}

const own = '127.0.0.1:8350';
const post = (host: string, body: string) =>
  `POST /responses HTTP/1.1\r\nHOST: ${host}\r\ncontent-length: ${body.length}\r\nx-host: host: a\r\n\r\n${body}`;
const chunked = (host: string) =>
  `POST /responses HTTP/1.1\r\ntransfer-encoding: chunked\r\nhost:${host}\r\n\r\n6\r\nHost: \r\n2;x=1\r\nab\r\n0\r\n\r\n`;
const upgrade = (host: string) => `GET /responses HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\n\r\n`;
/** A frame of a websocket that looks like a header. */
const frame = '\x81\x8a\x00\x00\x00\x00Host: a\r\n\r';

it.each<[string, (host: string) => string]>([
  ['a request with a body', (host) => post(host, 'Host: in the body\r\n\r\n')],
  ['several requests', (host) => post(host, 'a') + chunked(host) + post(host, '') + post(host, 'GET / ')],
  ['bare line feeds', (host) => `GET / HTTP/1.1\nHost: ${host}\n\n${post(host, 'b')}`],
  ['an upgrade, and no websocket frame', (host) => upgrade(host) + frame],
  ['a request after a refused upgrade', (host) => upgrade(host) + post(host, 'c')],
  ['a short frame', (host) => `${upgrade(host)}\x88\x80abcd`],
  ['bytes that are not HTTP', () => '\x16\x03\x01 Host: a\r\n\r\n'],
  ['a request that is cut off', () => 'POST / HTTP/1.1\r\nHo'],
])('changes only the value of Host in %s', async (_, make) => {
  // The spelling of the name and the space before the value stay.
  for (const length of [1, 7, 1000]) expect(await rewritten(make(own), length)).toBe(make('chatgpt.com'));
});

it('sends the host of the server upstream, and observes what the client sent', async () => {
  const server = createServer((request, response) => response.end(request.headers.host));
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, request) => {
    socket.on('message', (data) => socket.send(`${request.headers.host} ${String(data)}`));
  });
  const port = await listening(server);
  const { observed, observe } = observing();
  const upstream = { host: '127.0.0.1', port };
  const tap = closing(await startReverseTap({ upstream, observe, host: 'chatgpt.com' }));
  for (const _ of ['first', 'second']) expect(await (await fetch(tap.url)).text()).toBe('chatgpt.com');
  const socket = new WebSocket(tap.url.replace('http', 'ws'));
  await once(socket, 'open');
  socket.send('Host: stays');
  expect(String((await once(socket, 'message'))[0])).toBe('chatgpt.com Host: stays');
  socket.terminate();
  const hosts = observed.flatMap((one) =>
    one.type === 'request' ? one.head.headers.filter(([name]) => name.toLowerCase() === 'host') : [],
  );
  expect(hosts.map(([, value]) => value)).toEqual(Array(3).fill(`127.0.0.1:${tap.port}`));
});
