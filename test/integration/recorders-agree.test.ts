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

it('hears the same from the official client as mockttp does, which records behind our tap', async () => {
  const scenario = loadScenario('fast');
  const backend = await startBackend({ script: scenario.backend });
  onTestFinished(backend.close);
  const other = getLocal();
  await other.start();
  onTestFinished(() => other.stop());
  const targetHost = `127.0.0.1:${backend.port}`;
  // Otherwise it changes the Host header before it tells what it heard.
  const transformRequest = { replaceHost: { targetHost, updateHostHeader: false } };
  await other.forAnyWebSocket().thenPassThrough({ transformRequest });
  await other.forUnmatchedRequest().thenForwardTo(backend.origin);
  const theirs = { headers: [] as [string, string][], messages: [] as string[] };
  await other.on('websocket-request', ({ rawHeaders }) =>
    theirs.headers.push(...rawHeaders.map(([name, value]): [string, string] => [name, value])),
  );
  await other.on('websocket-message-received', ({ content }) =>
    theirs.messages.push(Buffer.from(content).toString('utf8')),
  );

  const seen: Observation[] = [];
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  const tap = await startInterceptingTap({
    authority,
    upstream: { kind: 'fixed', host: '127.0.0.1', port: other.port, tls: false },
    onOtherHost: 'refuse',
    observe: (observation) => seen.push(observation),
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

  const handshakes = seen.filter((one) => one.type === 'request' && isModelRoute(one.head.target));
  expect(handshakes).toHaveLength(1);
  expect(theirs.headers.length).toBeGreaterThan(15);
  expect(handshakes.flatMap((one) => (one.type === 'request' ? one.head.headers : []))).toEqual(
    theirs.headers,
  );
  const messages = seen.flatMap((one) =>
    one.type === 'message' && one.from === 'client' && one.message.opcode === 'text'
      ? [one.message.payload.toString('utf8')]
      : [],
  );
  expect(messages).toHaveLength(2);
  expect(messages).toEqual(theirs.messages);
});
