import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startBackend } from '../backend/backend.ts';
import {
  type ClientEnvironment,
  inFreshFolder,
  makeEnvironment,
  secretsOf,
} from '../client/official/environment.ts';
import { dialogueOf, type Exchange } from '../golden/trace/exchanges.ts';
import { ownTexts, type Scenario } from '../scenario/definition.ts';
import { loadScenario } from '../scenario/scenario.ts';
import { startReverseTap } from '../tap/reverse.ts';
import { Sealer } from '../trace/seal.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';
import { type Asked, knownCredentials } from './credentials.ts';
import { type Drive, driveInTime } from './drive.ts';
import { pathOf } from './lane.ts';
import type { CheckOptions } from './options.ts';
import { startSubject } from './run-subject.ts';
import { hostOf, programPath, takesSignIn } from './subject.ts';

/** What was seen on both sides of a subject. */
export type Seen = Drive &
  Asked & {
    readonly front: readonly Exchange[];
    /** The upstream of the subject. */
    readonly url: string;
  };

/** Drives one scenario through a subject with a tap on either side; `streams` is for a library. */
export async function see(options: CheckOptions, streams: boolean): Promise<Seen> {
  const scenario = loadScenario(options.golden.scenario);
  const setup = { ...scenario.client, lane: options.lane };
  return inFreshFolder(async (root) =>
    observe(options, scenario, await makeEnvironment(root, 0, setup), streams),
  );
}

async function observe(
  options: CheckOptions,
  scenario: Scenario,
  environment: ClientEnvironment,
  streams: boolean,
): Promise<Seen> {
  const { golden, subject, driver, backendPort, timeLimit, signal } = options;
  // One sealer for both taps: so that a secret has the same number on either side.
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
    const upstream = `${behind.url}${pathOf(options.upstream)}`;
    const running = await startSubject(
      subject,
      {
        upstream,
        auth: join(environment.codexHome, 'auth.json'),
        codex: golden.codex,
        goldens: options.goldens,
      },
      timeLimit,
      signal,
    );
    open.push(running.stop);
    const before = await startReverseTap({
      upstream: hostOf(running.url),
      observe: new TraceRecorder(sealer, (event) => front.push(event)).observe,
    });
    open.push(before.close);
    const url = new URL(
      'surface' in driver ? programPath(subject, running.url) : running.url.pathname,
      before.url,
    );
    const stage = { scenario, environment, streams, url, backend, running };
    const drive = await driveInTime(options, stage);
    await settled(back);
    return {
      front: dialogueOf(front),
      back: dialogueOf(back),
      url: upstream,
      // Each once.
      asides: [...new Set(back.flatMap(requestLine))],
      credentials: takesSignIn(subject)
        ? knownCredentials(sealer, environment.secrets, 'surface' in driver ? [] : front)
        : undefined,
      ...drive,
    };
  } finally {
    for (const close of open.reverse()) await close();
  }
}

function requestLine(event: TraceEvent): string[] {
  if (event.type !== 'request') return [];
  return [`${event.method} ${event.target.kind === 'string' ? event.target.value : ''}`];
}

/** Waits until the subject has let go of its upstream connections, or for half a second: it may pool them. */
async function settled(back: readonly TraceEvent[]): Promise<void> {
  const count = (type: TraceEvent['type']) => back.filter((event) => event.type === type).length;
  for (let waited = 0; waited < 500 && count('end') < count('connection'); waited += 20) await delay(20);
}
