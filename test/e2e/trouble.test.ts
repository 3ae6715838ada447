import { expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import type { BackendObservation } from '../../src/backend/respond.ts';
import { installOfficialClient } from '../../src/client/install/install.ts';
import { inFreshFolder, makeEnvironment, secretsOf } from '../../src/client/official/environment.ts';
import { runOfficialClient } from '../../src/client/official/run-client.ts';
import { recordRuns } from '../../src/record/record-golden.ts';
import { ownTexts } from '../../src/scenario/own-texts.ts';
import type { Scenario } from '../../src/scenario/scenario.ts';
import { loadScenario } from '../../src/scenario/scenario.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../../src/tap/certificate-authority.ts';
import { startInterceptingTap } from '../../src/tap/intercept.ts';
import { encodeEvent } from '../../src/trace/codec.ts';
import { Sealer } from '../../src/trace/seal.ts';
import { TraceRecorder } from '../../src/trace/trace-recorder.ts';
import { headerValue } from '../../src/wire/headers.ts';
import { printJson } from '../../src/wire/json.ts';

const version = '0.169.0';

it('renews an expired token before the first model request, and writes neither token to the trace', async () => {
  const scenario = loadScenario('expired-token');
  await inFreshFolder(async (root) => {
    const environment = await makeEnvironment(root, 0, scenario.client);
    const events: BackendObservation[] = [];
    const backend = await startBackend({
      script: scenario.backend,
      onEvent: (event) => events.push(event),
    });
    onTestFinished(backend.close);
    const lines: string[] = [];
    const sealer = new Sealer({ ownTexts: ownTexts(scenario), secrets: secretsOf(environment) });
    const authority = await openCertificateAuthority(defaultAuthorityFolder());
    const tap = await startInterceptingTap({
      authority,
      upstream: { kind: 'fixed', host: '127.0.0.1', port: backend.port, tls: false },
      onOtherHost: 'refuse',
      observe: new TraceRecorder(sealer, (event) => lines.push(printJson(encodeEvent(event)))).observe,
    });
    const { exitCode } = await runOfficialClient({
      client: await installOfficialClient(version),
      environment,
      ...scenario.client,
      connect: { kind: 'intercepted', proxyUrl: tap.url, certificate: authority.certificatePath },
      timeoutMs: 60_000,
    });
    await tap.close();

    expect(exitCode).toBe(0);
    const targets = events.flatMap((event) => ('target' in event ? [event.target] : []));
    expect(targets).toContain('/oauth/token');
    expect(targets.indexOf('/oauth/token')).toBeLessThan(targets.indexOf('/backend-api/codex/responses'));
    const upgrade = events.find(({ type }) => type === 'upgrade');
    const token = upgrade?.type === 'upgrade' ? headerValue(upgrade.headers, 'authorization') : undefined;
    expect(token).toMatch(/^Bearer eyJ/);
    expect(token).not.toBe(`Bearer ${environment.signIn.accessToken}`);
    const trace = lines.join('\n');
    // Four tokens and keys were known before the client started. The renewed token is the fifth.
    expect(trace).toContain('Bearer <<secret token 5>>');
    expect(trace).not.toMatch(/eyJ/);
    expect(trace).not.toContain(environment.signIn.refreshToken);
  });
});

/** Records one run of a scenario and returns the error message. */
async function recordingError(scenario: Scenario): Promise<string> {
  const recording = recordRuns({
    client: await installOfficialClient(version),
    authority: await openCertificateAuthority(defaultAuthorityFolder()),
    scenario,
    lane: 'chatgpt',
    runs: 1,
    signal: new AbortController().signal,
  });
  return recording.then(
    () => 'nothing',
    (error: Error) => error.message,
  );
}

it('rejects a run in which a fault of the scenario did not occur', async () => {
  const scenario = { ...loadScenario('http-fallback'), faults: { upgrades: [426], stalledPrewarms: 1 } };

  expect(await recordingError(scenario)).toMatch(
    /^codex 0\.169\.0 did not play http-fallback: 1 of 1 prewarms not stalled\. Its last line of output: /,
  );
});

it('rejects a run that succeeds although the scenario must fail', async () => {
  const { client, ...scenario } = loadScenario('default');

  expect(await recordingError({ ...scenario, client: { ...client, fails: true } })).toMatch(
    /did not play default: exit code 0\. Its last line of output: /,
  );
});

it('rejects a run that fails because the scenario has too few replies', async () => {
  const { client, ...scenario } = loadScenario('default');

  expect(await recordingError({ ...scenario, client: { ...client, fails: true }, backend: [] })).toMatch(
    /did not play default: missing replies: 1\. Its last line of output: /,
  );
});
