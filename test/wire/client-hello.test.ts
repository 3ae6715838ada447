import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { parseClientHello } from '../../src/wire/client-hello.ts';

/** The first bytes that Node's TLS sends with these options: its ClientHello, in one record. */
async function recordOf(options: ConnectionOptions = {}): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const client = connect({ host: '127.0.0.1', port, servername: 'chatgpt.com', ...options });
  client.on('error', () => {});
  const [socket]: Socket[] = await once(server, 'connection');
  if (socket === undefined) throw new Error('no connection');
  const [bytes]: Buffer[] = await once(socket, 'data');
  socket.destroy();
  client.destroy();
  return bytes ?? Buffer.alloc(0);
}

it('has what a client was told to send, in its order', async () => {
  const record = await recordOf({
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256',
    ecdhCurve: 'P-384:X25519',
    sigalgs: 'rsa_pss_rsae_sha512:ecdsa_secp256r1_sha256',
    ALPNProtocols: ['h2', 'http/1.1'],
  });
  const hello = await parseClientHello(record);
  expect(hello).toMatchObject({
    versions: ['TLS 1.3', 'TLS 1.2'],
    groups: ['secp384r1', 'x25519'],
    signatures: ['rsa_pss_rsae_sha512', 'ecdsa_secp256r1_sha256'],
  });
  expect(hello?.ciphers.slice(0, 3)).toEqual([
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  ]);
  expect(hello?.keyShares).toContain('secp384r1');
  expect(hello?.extensions).toEqual(
    expect.arrayContaining(['server_name', 'application_layer_protocol_negotiation', 'key_share']),
  );
  expect(hello?.ja4).toMatch(/^t13d\d{4}h2_[0-9a-f]{12}_[0-9a-f]{12}$/);
});

it('is the same for two connections of one client', async () => {
  expect(await parseClientHello(await recordOf())).toEqual(await parseClientHello(await recordOf()));
});

it('gives an answer for every record that is cut off or has a wrong byte', async () => {
  const record = await recordOf();
  for (let length = 0; length < record.length; length += 7)
    expect(await parseClientHello(record.subarray(0, length))).toBeUndefined();
  // Lengths are in the header, and in front of every list.
  for (let at = 0; at < record.length; at += 1) {
    const broken = Buffer.from(record);
    broken[at] = (broken[at] ?? 0) ^ 0xff;
    const hello = await parseClientHello(broken);
    expect(hello === undefined || Array.isArray(hello.ciphers)).toBe(true);
  }
});
