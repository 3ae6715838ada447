import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startBackend } from '../backend/backend.ts';
import {
  type ClientEnvironment,
  inFreshFolder,
  makeEnvironment,
  secretsOf,
} from '../client/official/environment.ts';
import { type Exchange, exchangesOf } from '../golden/trace/exchanges.ts';
import { ownTexts } from '../scenario/own-texts.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { loadScenario } from '../scenario/scenario.ts';
import { startReverseTap } from '../tap/reverse.ts';
import { Sealer } from '../trace/seal.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';
import { type CredentialUse, knownCredentials } from './credentials.ts';
import { type DriveResult, driveInTime } from './drive.ts';
import { basePathOf } from './lane-rules.ts';
import type { ScenarioCheck } from './scenario-check.ts';
import { startSubject } from './start-subject.ts';
import { hostOf, programPath, takesSignIn } from './subject.ts';

/** The traffic on both sides of a subject. */
export type ScenarioTraffic = DriveResult &
  CredentialUse & {
    readonly front: readonly Exchange[];
    /** The upstream that the subject was given. */
    readonly url: string;
  };

/** Plays one scenario through a subject with a tap on either side. `streams` is for the driver of OpenAI's library. */
export async function observeScenario(check: ScenarioCheck, streams: boolean): Promise<ScenarioTraffic> {
  const scenario = loadScenario(check.golden.scenario);
  const setup = { ...scenario.client, lane: check.lane };
  return inFreshFolder(async (root) =>
    observe(check, scenario, await makeEnvironment(root, 0, setup), streams),
  );
}

async function observe(
  check: ScenarioCheck,
  scenario: Scenario,
  environment: ClientEnvironment,
  streams: boolean,
): Promise<ScenarioTraffic> {
  const { golden, goldens, subject, driver, backendPort, timeLimit, signal } = check;
  // Both taps share a sealer, so that a secret has the same number on both sides.
  const sealer = new Sealer({ ownTexts: ownTexts(scenario), secrets: secretsOf(environment) });
  const [front, back]: [TraceEvent[], TraceEvent[]] = [[], []];
  const open: (() => Promise<void>)[] = [];
  try {
    const backend = await startBackend({
      script: scenario.backend,
      ...(scenario.faults === undefined ? {} : { faults: scenario.faults }),
    });
    open.push(backend.close);
    const behind = await startReverseTap({
      upstream: { host: '127.0.0.1', port: backend.port },
      observe: new TraceRecorder(sealer, (event) => back.push(event)).observe,
      port: backendPort,
    });
    open.push(behind.close);
    const upstream = `${behind.url}${basePathOf(check.upstream)}`;
    const auth = join(environment.codexHome, 'auth.json');
    const values = { upstream, auth, codex: golden.codex, goldens };
    const running = await startSubject(subject, values, timeLimit, signal);
    open.push(running.stop);
    const before = await startReverseTap({
      upstream: hostOf(running.url),
      observe: new TraceRecorder(sealer, (event) => front.push(event)).observe,
    });
    open.push(before.close);
    const isProgram = 'surface' in driver;
    const url = new URL(isProgram ? programPath(subject, running.url) : running.url.pathname, before.url);
    const result = await driveInTime(check, { scenario, environment, streams, url, backend, running });
    await connectionsClosed(back);
    return {
      front: exchangesOf(front),
      back: exchangesOf(back),
      url: upstream,
      sideRequests: [...new Set(back.flatMap(requestLine))],
      credentials: takesSignIn(subject)
        ? knownCredentials(sealer, environment.signIn, isProgram ? [] : front)
        : undefined,
      ...result,
    };
  } finally {
    for (const close of open.reverse()) await close();
  }
}

function requestLine(event: TraceEvent): string[] {
  if (event.type !== 'request') return [];
  return [`${event.method} ${event.target.kind === 'string' ? event.target.value : ''}`];
}

/** Waits until the subject has closed its upstream connections; 500 ms at most, as it may pool them. */
async function connectionsClosed(back: readonly TraceEvent[]): Promise<void> {
  const count = (type: TraceEvent['type']) => back.filter((event) => event.type === type).length;
  for (let waited = 0; waited < 500 && count('end') < count('connection'); waited += 20) await delay(20);
}
