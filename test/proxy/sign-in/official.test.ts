import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../../src/backend/backend.ts';
import type { Faults } from '../../../src/backend/faults.ts';
import type { BackendObservation } from '../../../src/backend/respond.ts';
import { installOfficialClient } from '../../../src/client/install/install.ts';
import type { OfficialClient } from '../../../src/client/install/installed.ts';
import { makeEnvironment } from '../../../src/client/official/environment.ts';
import { runOfficialClient } from '../../../src/client/official/run-client.ts';
import { Account } from '../../../src/proxy/sign-in/account.ts';
import { withTokens } from '../../../src/proxy/sign-in/stored-sign-in.ts';
import { openCertificateAuthority } from '../../../src/tap/certificate-authority.ts';
import { startInterceptingTap } from '../../../src/tap/intercept.ts';
import { headerValue, pairHeaders } from '../../../src/wire/headers.ts';
import { authText, storedTokens, temporaryFolder, token, tokenEndpoint } from './endpoint.ts';

let client: OfficialClient;
beforeAll(async () => {
  client = await installOfficialClient('0.169.0');
});

/** Runs one turn of the official client with an auth.json. Returns its requests to the token endpoint. */
async function turn(auth: string, faults: Faults = {}) {
  const events: BackendObservation[] = [];
  const script = [{ reply: 'text', text: 'OK' }] as const;
  const backend = await startBackend({ script, faults, onEvent: (event) => events.push(event) });
  onTestFinished(() => backend.close());
  const bodies: string[] = [];
  const exchanges = new Set<number>();
  const authority = await openCertificateAuthority(temporaryFolder());
  const tap = await startInterceptingTap({
    authority,
    upstream: { kind: 'fixed', host: '127.0.0.1', port: backend.port, tls: false },
    onOtherHost: 'refuse',
    observe: (seen) => {
      if (seen.type === 'request' && seen.head.target === '/oauth/token') exchanges.add(seen.exchange);
      if (seen.type === 'body' && seen.from === 'client' && exchanges.has(seen.exchange)) {
        bodies.push(seen.bytes.toString('utf8'));
      }
    },
  });
  onTestFinished(() => tap.close());
  const environment = await makeEnvironment(temporaryFolder(), 0);
  const path = join(environment.codexHome, 'auth.json');
  writeFileSync(path, auth);
  const { exitCode } = await runOfficialClient({
    client,
    environment,
    prompt: 'Reply with exactly: OK',
    config: {},
    connect: { kind: 'intercepted', proxyUrl: tap.url, certificate: authority.certificatePath },
    timeoutMs: 60_000,
  });
  expect(exitCode).toBe(0);
  const requests = events.flatMap((event) =>
    event.type === 'request' && event.target === '/oauth/token' ? [event.headers] : [],
  );
  const upgrades = events.flatMap((event) => (event.type === 'upgrade' ? [event.headers] : []));
  return { path, requests, bodies, upgrades };
}

it.each([
  { when: 'its token has expired', seconds: -60, upgrades: [] },
  { when: 'its token is refused', seconds: 3600, upgrades: [401, 401] },
])('requests tokens byte for byte as the official client when $when', async ({ seconds, upgrades }) => {
  const auth = authText(token(seconds, 'access-0'));
  const official = await turn(auth, { upgrades });
  const [headers = []] = official.requests;

  const { endpoint, requests } = await tokenEndpoint();
  const path = join(temporaryFolder(), 'auth.json');
  writeFileSync(path, auth);
  const account = new Account(path, {
    ...endpoint,
    originator: headerValue(headers, 'originator') ?? '',
    userAgent: headerValue(headers, 'user-agent') ?? '',
  });
  const signIn = await account.current();
  if (upgrades.length > 0) await account.afterRefusal(signIn);

  expect(requests.map(({ body }) => body)).toEqual(official.bodies);
  const host = (name: string, value: string) => [name, name === 'host' ? 'the endpoint' : value];
  expect(pairHeaders(requests[0]?.headers ?? []).map(([name, value]) => host(name, value))).toEqual(
    headers.map(([name, value]) => host(name, value)),
  );
});

it('formats the file as the official client does', async () => {
  const { path } = await turn(authText(token(-60, 'access-0')));
  const text = readFileSync(path, 'utf8');
  const tokens = {
    idToken: undefined,
    accessToken: String(storedTokens(path).accessToken),
    refreshToken: undefined,
  };
  const last = /"last_refresh": "(.*)"/;
  const now = Date.parse(last.exec(text)?.[1] ?? '');
  expect(withTokens(text, tokens, now).replace(last, '')).toBe(text.replace(last, ''));
});

it('renews a file so that the official client can use it', async () => {
  const { endpoint } = await tokenEndpoint();
  const path = join(temporaryFolder(), 'auth.json');
  writeFileSync(path, authText(token(-60, 'access-0')));
  const { accessToken } = await new Account(path, endpoint).current();
  const { upgrades, bodies } = await turn(readFileSync(path, 'utf8'));
  expect(bodies).toEqual([]);
  expect(upgrades.map((headers) => headerValue(headers, 'authorization'))).toEqual([`Bearer ${accessToken}`]);
});
