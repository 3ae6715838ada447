import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, createServer, setDefaultCACertificates } from 'node:tls';
import { openCertificateAuthority } from '../../src/tap/certificate-authority.ts';
import { createAuthority, createLeaf } from '../../src/tap/certificates.ts';
import { startInterceptingTap } from '../../src/tap/intercept.ts';

/**
 * A program that closes its tap in the moment in which the client ends a TLS connection, and then has nothing left to do.
 * The folder of the authority is its first argument.
 */
const authority = await openCertificateAuthority(process.argv[2] ?? '');
const { certificate, key } = await createAuthority();
const leaf = await createLeaf('localhost', certificate, createPrivateKey(key));
setDefaultCACertificates([certificate]);

const response = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
const server = createServer({ cert: leaf.certificate, key: leaf.key, allowHalfOpen: true }, (socket) => {
  socket.on('error', () => {}).once('data', () => socket.write(response));
});
const connections: Socket[] = [];
server.on('connection', (socket) => connections.push(socket));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const address = server.address();
const port = typeof address === 'object' ? address?.port : undefined;

const tap = await startInterceptingTap({
  authority,
  hosts: ['localhost'],
  upstream: { kind: 'real' },
  observe: ({ type }) => {
    if (type === 'end') process.nextTick(close);
  },
});
const socket = connect(tap.port, '127.0.0.1').on('error', () => {});
socket.write(`CONNECT localhost:${port} HTTP/1.1\r\n\r\n`);
await once(socket, 'data');
const client = connectTls({ socket, servername: 'localhost', ca: authority.certificate }).on(
  'error',
  () => {},
);
await once(client, 'secureConnect');
client.write('GET / HTTP/1.1\r\n\r\n');
client.once('data', () => client.end());

async function close(): Promise<void> {
  await tap.close();
  server.close();
  for (const open of [client, socket, ...connections]) open.destroy();
  console.log('closed');
}
