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

it('records the same traffic of the official client as mockttp, chained behind the tap', async () => {
  const scenario = loadScenario('fast');
  const backend = await startBackend({ script: scenario.backend });
  onTestFinished(backend.close);
  const mockttp = getLocal();
  await mockttp.start();
  onTestFinished(() => mockttp.stop());
  const targetHost = `127.0.0.1:${backend.port}`;
  // Otherwise mockttp changes the Host header before it reports the request.
  const transformRequest = { replaceHost: { targetHost, updateHostHeader: false } };
  await mockttp.forAnyWebSocket().thenPassThrough({ transformRequest });
  await mockttp.forUnmatchedRequest().thenForwardTo(backend.origin);
  const byMockttp = { headers: [] as [string, string][], messages: [] as string[] };
  await mockttp.on('websocket-request', ({ rawHeaders }) =>
    byMockttp.headers.push(...rawHeaders.map(([name, value]): [string, string] => [name, value])),
  );
  await mockttp.on('websocket-message-received', ({ content }) =>
    byMockttp.messages.push(Buffer.from(content).toString('utf8')),
  );

  const observed: Observation[] = [];
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  const tap = await startInterceptingTap({
    authority,
    upstream: { kind: 'fixed', host: '127.0.0.1', port: mockttp.port, tls: false },
    onOtherHost: 'refuse',
    observe: (observation) => observed.push(observation),
  });
  const { exitCode, stdout } = await inFreshFolder(async (root) =>
    runOfficialClient({
      client: await installOfficialClient('0.169.0'),
      environment: await makeEnvironment(root, 0),
      ...scenario.client,
      connect: { kind: 'intercepted', proxyUrl: tap.url, certificate: authority.certificatePath },
      timeoutMs: 60_000,
    }),
  );
  await tap.close();
  expect({ exitCode, stdout: stdout.trim() }).toEqual({ exitCode: 0, stdout: 'OK' });

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
