import { getLocal } from 'mockttp';
import { expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import { installOfficialClient } from '../../src/client/install/install.ts';
import { inFreshFolder, makeEnvironment } from '../../src/client/official/environment.ts';
import { runOfficialClient } from '../../src/client/official/run-client.ts';
import { loadScenario } from '../../src/scenario/scenario.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../../src/tap/certificate-authority.ts';
import { startInterceptingTap } from '../../src/tap/intercept.ts';
import type { Observation } from '../../src/trace/observation.ts';
import { isModelRoute } from '../../src/wire/route.ts';

/** A request over HTTP/2, pseudo-headers included; the body in base64. */
type Sent = { readonly headers: readonly unknown[]; readonly body: string };

/** Plays a scenario with the official client, and mockttp chained behind the tap. */
async function recordTwice(name: string, version: string) {
  const scenario = loadScenario(name);
  const backend = await startBackend({ script: scenario.backend, faults: scenario.faults ?? {} });
  onTestFinished(backend.close);
  const mockttp = getLocal({ http2: true });
  await mockttp.start();
  onTestFinished(() => mockttp.stop());
  // Otherwise mockttp changes Host and :authority before it reports the request.
  const replaceHost = { targetHost: `127.0.0.1:${backend.port}`, updateHostHeader: false };
  await mockttp.forAnyWebSocket().thenPassThrough({ transformRequest: { replaceHost } });
  await mockttp
    .forUnmatchedRequest()
    .thenPassThrough({ transformRequest: { replaceHost, setProtocol: 'http' } });
  const byMockttp = { headers: [] as [string, string][], messages: [] as string[], http2: [] as Sent[] };
  await mockttp.on('websocket-request', ({ rawHeaders }) =>
    byMockttp.headers.push(...rawHeaders.map(([key, value]): [string, string] => [key, value])),
  );
  await mockttp.on('websocket-message-received', ({ content }) =>
    byMockttp.messages.push(Buffer.from(content).toString('utf8')),
  );
  await mockttp.on('request', ({ httpVersion, rawHeaders, body }) => {
    if (httpVersion.startsWith('2'))
      byMockttp.http2.push({ headers: rawHeaders, body: body.buffer.toString('base64') });
  });

  const observed: Observation[] = [];
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  const tap = await startInterceptingTap({
    authority,
    upstream: { kind: 'fixed', host: '127.0.0.1', port: mockttp.port, tls: false, http2: true },
    onOtherHost: 'refuse',
    observe: (observation) => observed.push(observation),
  });
  const { exitCode, stdout } = await inFreshFolder(async (root) =>
    runOfficialClient({
      client: await installOfficialClient(version),
      environment: await makeEnvironment(root, 0),
      ...scenario.client,
      connect: { kind: 'intercepted', proxyUrl: tap.url, certificate: authority.certificatePath },
      timeoutMs: 60_000,
    }),
  );
  await tap.close();
  expect({ exitCode, stdout: stdout.trim() }).toEqual({ exitCode: 0, stdout: 'OK' });
  return { observed, byMockttp };
}

it('records the same traffic of the official client as mockttp, chained behind the tap', async () => {
  const { observed, byMockttp } = await recordTwice('fast', '0.169.0');
  const handshakes = observed.filter((event) => event.type === 'request' && isModelRoute(event.head.target));
  expect(handshakes).toHaveLength(1);
  expect(byMockttp.headers.length).toBeGreaterThan(15);
  expect(handshakes.flatMap((event) => (event.type === 'request' ? event.head.headers : []))).toEqual(
    byMockttp.headers,
  );
  const messages = observed.flatMap((event) =>
    event.type === 'message' && event.from === 'client' && event.message.opcode === 'text'
      ? [event.message.payload.toString('utf8')]
      : [],
  );
  expect(messages).toHaveLength(2);
  expect(messages).toEqual(byMockttp.messages);
});

it('records the same requests over HTTP/2', async () => {
  const { observed, byMockttp } = await recordTwice('http-fallback', '0.171.0');
  const bodies = observed.flatMap((event) =>
    event.type === 'body' && event.from === 'client' ? [event] : [],
  );
  const byTap = observed.flatMap((event): Sent[] => {
    if (event.type !== 'request' || event.head.http2 === undefined) return [];
    const { method, target, headers, http2 } = event.head;
    const values: Readonly<Record<string, string | undefined>> = {
      ':method': method,
      ':scheme': 'https',
      ':authority': http2.authority,
      ':path': target,
    };
    const body = bodies.find(({ exchange }) => exchange === event.exchange);
    // The client may leave in the middle of its last request.
    if (body?.complete === false) return [];
    const sent = body === undefined || !Buffer.isBuffer(body.bytes) ? '' : body.bytes.toString('base64');
    return [{ headers: [...http2.pseudo.map((name) => [name, values[name]]), ...headers], body: sent }];
  });
  const posted = byTap.filter(({ headers }) => JSON.stringify(headers).includes('/codex/responses"'));
  expect(posted).toHaveLength(1);
  const inAnyOrder = (all: readonly Sent[]) => all.map((sent) => JSON.stringify(sent)).toSorted();
  await expect.poll(() => inAnyOrder(byMockttp.http2)).toEqual(inAnyOrder(byTap));
});
