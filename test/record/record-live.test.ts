import { spawnSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createSecureServer as createHttp2Server } from 'node:http2';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { getCACertificates } from 'node:tls';
import { expect, it, onTestFinished, vi } from 'vitest';
import { recordCommandThroughTap } from '../../src/record/record-live.ts';
import { createAuthority, createLeaf } from '../../src/tap/certificates.ts';
import { readTrace } from '../../src/trace/trace.ts';
import { trust } from '../proxy/secure-backend.ts';

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An HTTPS server on this machine that responds with `hello`. This process trusts its authority unless told otherwise. */
async function backend(
  host = 'localhost',
  trusted = true,
  protocol: 'h2' | 'http/1.1' = 'http/1.1',
): Promise<string> {
  const { certificate, key } = await createAuthority();
  const leaf = await createLeaf(host, certificate, createPrivateKey(key));
  const options = { cert: leaf.certificate, key: leaf.key };
  const server = protocol === 'h2' ? createHttp2Server(options) : createServer(options);
  server.on('request', (_: unknown, response: Writable) => response.end('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  if (trusted) trust(certificate);
  onTestFinished(() => void server.close());
  const address = server.address();
  return `https://localhost:${typeof address === 'object' ? address?.port : ''}/responses`;
}

/** Records a shell command with localhost as the backend. */
async function record(script: string, folder = temporaryFolder()) {
  vi.stubEnv('XDG_STATE_HOME', folder);
  onTestFinished(() => void vi.unstubAllEnvs());
  const out = join(folder, 'live.trace.jsonl');
  const command = ['sh', '-c', script];
  return {
    ...(await recordCommandThroughTap({ command, out, hosts: ['localhost'] })),
    trace: readTrace(out),
    folder,
  };
}

const has = (program: string) => spawnSync(program, ['--version']).error === undefined;

it.skipIf(!has('curl'))('makes curl trust the tap, and the authorities of the system', async () => {
  vi.stubEnv('CURL_CA_BUNDLE', '');
  const url = await backend();
  const { exitCode, requests, problems, folder } = await record(
    `cd "$XDG_STATE_HOME" && cp "$CURL_CA_BUNDLE" bundle.pem && curl --silent --show-error ${url} > response`,
  );
  expect({ exitCode, requests, problems: [...problems] }).toEqual({ exitCode: 0, requests: 1, problems: [] });
  expect(readFileSync(join(folder, 'response'), 'utf8')).toBe('hello');
  const bundle = readFileSync(join(folder, 'bundle.pem'), 'utf8');
  const missing = getCACertificates('system').filter((authority) => !bundle.includes(authority.trim()));
  expect(missing).toHaveLength(0);
});

it.skipIf(!has('curl'))('records HTTP/2 where command and host speak it', async () => {
  const url = await backend('localhost', true, 'h2');
  const { problems, trace, folder } = await record(
    `curl --silent --http2 --data hi --write-out '%{http_version}' ${url} > "$XDG_STATE_HOME/response"`,
  );
  expect([...problems]).toEqual([]);
  expect(readFileSync(join(folder, 'response'), 'utf8')).toBe('hello2');
  expect(trace.events).toMatchObject([
    { type: 'connection', tls: { chosen: 'h2' } },
    {
      ...{ type: 'request', method: 'POST', version: '2' },
      http2: { pseudo: [':method', ':path', ':scheme', ':authority'] },
    },
    { type: 'body', from: 'client', content: { kind: 'text' } },
    { type: 'response', status: 200, version: '2' },
    { type: 'body', from: 'backend' },
    { type: 'end', by: 'client' },
  ]);
});

it.skipIf(!has('python3'))('makes Python trust the tap', async () => {
  const url = await backend();
  const script = `import urllib.request; print(urllib.request.urlopen('${url}').read().decode())`;
  const { exitCode, requests, folder } = await record(`python3 -c "${script}" > "$XDG_STATE_HOME/response"`);
  expect({ exitCode, requests }).toEqual({ exitCode: 0, requests: 1 });
  expect(readFileSync(join(folder, 'response'), 'utf8')).toBe('hello\n');
});

it('adds its authority to those that the user has chosen', async () => {
  const folder = temporaryFolder();
  const own = join(folder, 'own.pem');
  writeFileSync(own, 'OWN AUTHORITY');
  const names = [
    'SSL_CERT_FILE',
    'REQUESTS_CA_BUNDLE',
    'GIT_SSL_CAINFO',
    'NODE_EXTRA_CA_CERTS',
    'CODEX_CA_CERTIFICATE',
  ];
  for (const name of names) vi.stubEnv(name, own);
  vi.stubEnv('CURL_CA_BUNDLE', '/missing.pem');
  const { exitCode } = await record(
    `cd "$XDG_STATE_HOME" && for name in ${names.join(' ')}; do eval cp "\\$$name" "$name"; done && cp "$CURL_CA_BUNDLE" CURL`,
    folder,
  );
  expect(exitCode).toBe(0);
  const ours = readFileSync(join(folder, 'codex-parity', 'ca', 'ca.pem'), 'utf8').trim();
  for (const name of names) {
    const content = readFileSync(join(folder, name), 'utf8');
    expect(content.startsWith('OWN AUTHORITY\n')).toBe(true);
    expect(content).toContain(ours);
  }
  expect(readFileSync(join(folder, 'CURL'), 'utf8')).toContain(ours);
});

const fetching = (url: string) =>
  `NODE_USE_ENV_PROXY=1 ${process.execPath} -e "fetch('${url}').then(() => 0, () => process.exit(7))"`;

it.each([
  ['of an unknown authority', 'localhost', false, /is not valid: .+ \((?:UNABLE_TO_\w+|SELF_SIGNED_\w+)\)/],
  ['for another host', 'example.com', true, /is not valid: .+ \(ERR_TLS_CERT_ALTNAME_INVALID\)/],
])('reports a certificate %s in one line', async (_, host, trusted, problem) => {
  const { exitCode, problems } = await record(fetching(await backend(host, trusted)));
  expect(exitCode).toBe(7);
  expect([...problems]).toEqual([expect.stringMatching(problem)]);
  expect([...problems][0]).toMatch(/^the certificate of localhost .* name that in NODE_EXTRA_CA_CERTS$/);
});

it('reports a host that cannot be reached, once', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `https://localhost:${typeof address === 'object' ? address?.port : ''}/responses`;
  server.close();
  const { problems } = await record(`${fetching(url)}; ${fetching(url)}`);
  expect([...problems]).toEqual([expect.stringMatching(/^localhost cannot be reached: .*ECONNREFUSED/)]);
});

it.skipIf(!has('curl'))('reports a command that does not trust the tap', async () => {
  const url = await backend();
  const { problems, trace } = await record(`env -u CURL_CA_BUNDLE -u SSL_CERT_FILE curl --silent ${url}`);
  expect([...problems]).toEqual([
    expect.stringMatching(/^localhost: the client did not complete the TLS handshake/),
  ]);
  expect(trace.events.map(({ type }) => type)).toEqual(['connection', 'undecodable', 'end']);
});
