import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { expect, onTestFinished } from 'vitest';
import { listenLocally } from '../../src/listening.ts';
import { acceptKey } from '../../src/wire/websocket.ts';

/** One end of a connection, and every byte that it has received. */
export type RawEnd = {
  readonly socket: Socket;
  /** The head of the other end's message, and the bytes that followed it. */
  readonly head: () => string;
  readonly rest: () => Buffer;
  /** How the connection ended, if it has. */
  readonly ending: () => 'end' | 'close' | undefined;
};

const key = 'dGhlIHNhbXBsZSBub25jZQ==';

function rawEnd(socket: Socket): RawEnd {
  const chunks: Buffer[] = [];
  let ending: 'end' | 'close' | undefined;
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.once('end', () => {
    ending = 'end';
  });
  socket.once('close', () => {
    ending ??= 'close';
  });
  onTestFinished(() => void socket.destroy());
  const split = () => {
    if (chunks.length > 1) chunks.splice(0, chunks.length, Buffer.concat(chunks));
    const [all = Buffer.alloc(0)] = chunks;
    const at = all.indexOf('\r\n\r\n');
    return at === -1
      ? ([all, Buffer.alloc(0)] as const)
      : ([all.subarray(0, at), all.subarray(at + 4)] as const);
  };
  return { socket, head: () => split()[0].toString('latin1'), rest: () => split()[1], ending: () => ending };
}

/** For TLS. */
type Certificate = { readonly cert: string; readonly key: string };

/** A backend that does nothing by itself but to respond to each connection's request with `respond`, if it is given. */
export async function startRawBackend(
  respond: ((end: RawEnd) => void) | undefined = accept(),
  certificate?: Certificate,
) {
  const ends: RawEnd[] = [];
  const take = (socket: Socket) => {
    const end = rawEnd(socket);
    ends.push(end);
    let responded = false;
    socket.on('data', () => {
      if (responded || !end.head().startsWith('GET ')) return;
      responded = true;
      respond?.(end);
    });
  };
  const halfOpen = { allowHalfOpen: true };
  const server = certificate
    ? createTlsServer({ ...halfOpen, ...certificate }, take)
    : createServer(halfOpen, take);
  const port = await listenLocally(server);
  onTestFinished(() => void server.close());
  const origin = certificate ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  return { url: new URL(`${origin}/backend-api/codex`), ends };
}

/** Accepts the key of an upgrade, with further lines in the response's head. */
export function accept(lines: readonly string[] = [], keyOf = acceptKey) {
  return ({ socket, head }: RawEnd) => {
    const sent = /^sec-websocket-key: (.*)$/im.exec(head())?.[1] ?? '';
    const response = [
      'HTTP/1.1 101 Switched By Test',
      'uPGRADE: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${keyOf(sent)}`,
      ...lines,
    ];
    socket.write(`${response.join('\r\n')}\r\n\r\n`);
  };
}

/** The head of an upgrade. */
export function upgradeHead(
  headers: Readonly<Record<string, string>>,
  lines: readonly string[] = [],
): string {
  const all = [
    'GET /backend-api/codex/responses HTTP/1.1',
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${key}`,
    ...Object.entries(headers).map((field) => field.join(': ')),
    ...lines,
  ];
  return `${all.join('\r\n')}\r\n\r\n`;
}

/** Connects to a proxy and sends bytes. */
export async function connectRaw(origin: string, bytes: string | Buffer): Promise<RawEnd> {
  const socket = connect({ port: Number(new URL(origin).port), host: '127.0.0.1', allowHalfOpen: true });
  const end = rawEnd(socket);
  await once(socket, 'connect');
  socket.write(bytes);
  return end;
}

/** Waits until an end has received exactly these bytes after the head. */
export async function expectBytes(end: RawEnd | undefined, bytes: Buffer): Promise<void> {
  await expect.poll(() => end?.rest().length).toBeGreaterThanOrEqual(bytes.length);
  expect(end?.rest().toString('hex')).toBe(bytes.toString('hex'));
}
