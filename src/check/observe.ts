import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startBackend } from '../backend/backend.ts';
import {
  type ClientEnvironment,
  inFreshFolder,
  makeEnvironment,
  makeSignIn,
  type SignInFolder,
  secretsOf,
} from '../client/official/environment.ts';
import { ParityError } from '../errors.ts';
import { basePathOf } from '../golden/golden.ts';
import type { ClientRefusal } from '../golden/match/mismatch.ts';
import { type Exchange, exchangesOf } from '../golden/trace/exchanges.ts';
import { modelsOf } from '../golden/trace/models.ts';
import { timeFromNow } from '../record/record-live.ts';
import { ownTexts } from '../scenario/own-texts.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { loadScenario } from '../scenario/scenario.ts';
import { startReverseTap } from '../tap/reverse.ts';
import type { TapOptions } from '../tap/tap.ts';
import { Sealer } from '../trace/seal.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';
import { type CredentialUse, knownCredentials } from './credentials.ts';
import { type DriveResult, driveInTime } from './drive.ts';
import { type SubjectUpstream, serveOfficialHosts } from './outgoing-proxy.ts';
import { RefusalWatch } from './refusal-watch.ts';
import type { ScenarioCheck } from './scenario-check.ts';
import { clientSettings, hostOf, listsModels, programPath, takesSignIn } from './subject.ts';

/** The traffic on both sides of a subject. */
export type ScenarioTraffic = DriveResult &
  CredentialUse & {
    readonly front: readonly Exchange[];
    readonly back: readonly Exchange[];
    /** All that the taps recorded in front of the subject and behind it. */
    readonly events: { readonly client: readonly TraceEvent[]; readonly upstream: readonly TraceEvent[] };
    /** How the subject refused the last request of its client; undefined if it did not. */
    readonly refusal: ClientRefusal | undefined;
    /** Whether the subject accepted an upgrade that upstream had not refused, or not yet. */
    readonly acceptsFirst: boolean;
    /** Request lines of all requests behind the subject since it was ready, such as `GET /v1/models`. */
    readonly sideRequests: readonly string[];
    /** Texts that were sealed, by their seals: those that the subject made up. Empty if a client has texts of its own. */
    readonly texts: ReadonlyMap<string, string>;
    /** The upstream that the subject was given. */
    readonly url: string;
    /** Why connections of the subject to its upstream failed. */
    readonly problems: readonly string[];
  };

/**
 * Plays one scenario through a subject with a tap on either side. `streams` is for the driver of OpenAI's library. A
 * subject that does not start leaves no traffic.
 */
export async function observeScenario(check: ScenarioCheck, streams: boolean): Promise<ScenarioTraffic> {
  const scenario = loadScenario(check.golden.scenario);
  const setup = { ...scenario.client, lane: check.lane };
  try {
    return await inFreshFolder(async (root) => {
      const make = check.driver.kind === 'codex' ? makeEnvironment : makeSignIn;
      return observe(check, scenario, await make(root, 0, setup), streams);
    });
  } catch (error) {
    check.signal.throwIfAborted();
    if (!(error instanceof ParityError) || error.code !== 'subject-failed') throw error;
    const end = { type: 'failed', reason: error.message } as const;
    return {
      ...{ end, responses: [], front: [], back: [], url: '', sideRequests: [], problems: [] },
      texts: new Map(),
      events: { client: [], upstream: [] },
      ...{ refusal: undefined, acceptsFirst: false, renewed: false, credentials: undefined },
    };
  }
}

async function observe(
  check: ScenarioCheck,
  scenario: Scenario,
  environment: ClientEnvironment | SignInFolder,
  streams: boolean,
): Promise<ScenarioTraffic> {
  const { golden, goldens, goldensFolder, subject, host, driver, timeLimit, signal } = check;
  // Both taps share a sealer, so that a secret has the same number on both sides.
  const texts = new Map<string, string>();
  const sealer = new Sealer({
    ownTexts: ownTexts(scenario),
    secrets: secretsOf(environment),
    onText: (seal, text) => texts.set(seal, text),
    keepsDocuments: true,
  });
  const [front, back]: [TraceEvent[], TraceEvent[]] = [[], []];
  let acceptsFirst = false;
  /** How many events there were behind the subject when it got ready. It may forward the request that asks for that. */
  let untilReady = 0;
  /** The same for when the client opened its last connection. */
  let untilOpened = 0;
  const timed = timeFromNow();
  const onFront = (event: TraceEvent) => {
    front.push(timed(event));
    if (event.type === 'connection') untilOpened = back.length;
    if (event.type === 'response' && event.status === 101)
      acceptsFirst ||= !back.slice(untilReady).some(isRefusal);
  };
  const problems = new Set<string>();
  const recorder = new TraceRecorder(sealer, onFront);
  const refusals = new RefusalWatch(sealer);
  const open: (() => Promise<void>)[] = [];
  try {
    const backend = await startBackend({
      script: scenario.backend,
      vary: check.vary,
      ...(scenario.faults === undefined ? {} : { faults: scenario.faults }),
      models: listsModels(subject) ? modelsOf(check.upstream.exchanges) : [],
    });
    open.push(backend.close);
    const behind = await startUpstream(check, {
      observe: new TraceRecorder(sealer, (event) => back.push(timed(event))).observe,
      onProblem: (problem) => problems.add(problem),
      backend: { host: '127.0.0.1', port: backend.port },
      http2: scenario.http2 && backend.http2,
    });
    open.push(behind.close);
    const upstream = behind.url;
    const running = await host.start({
      upstream,
      ...(behind.outgoing === undefined ? {} : { outgoing: behind.outgoing }),
      signIn: {
        signIn: environment.signIn,
        byKey: check.lane === 'api-key',
        expired: scenario.client.expired ?? false,
      },
      clientAuth: join(environment.codexHome, 'auth.json'),
      codex: golden.codex,
      ...{ goldens, goldensFolder, timeLimit, signal },
    });
    open.push(running.stop);
    untilReady = back.length;
    const before = await startReverseTap({
      upstream: hostOf(running.url),
      observe: (observation) => {
        // First, so that its secrets are known.
        recorder.observe(observation);
        refusals.observe(observation);
      },
    });
    open.push(before.close);
    const isProgram = 'surface' in driver;
    const url = new URL(isProgram ? programPath(subject, running.url) : running.url.pathname, before.url);
    const result = await driveInTime(check, {
      ...{ scenario, environment, streams, url, backend, running },
      forwarded: (most) => connectionsClosed(back, { most, since: untilOpened }),
    });
    await connectionsClosed(back);
    const renewed = back.flatMap(requestLine).includes('POST /oauth/token');
    host.renewed ||= renewed;
    // A client with a key of its own must not see that key go upstream.
    const hasOwnKey = isProgram || clientSettings(subject).key !== undefined;
    return {
      front: exchangesOf(front),
      back: exchangesOf(back),
      events: { client: front, upstream: back },
      refusal: refusals.last,
      acceptsFirst,
      url: upstream,
      // The prompts of the official client stay sealed.
      texts: driver.kind === 'codex' ? new Map() : withoutSecrets(texts, sealer),
      sideRequests: [...new Set(back.slice(untilReady).flatMap(requestLine))],
      problems: [...problems],
      renewed: renewed || (host.startsOnce && host.renewed),
      credentials: takesSignIn(subject)
        ? knownCredentials(sealer, environment.signIn, hasOwnKey ? [] : front)
        : undefined,
      ...result,
    };
  } finally {
    for (const close of open.reverse()) await close();
  }
}

/** Starts the tap behind a subject: a server, or an HTTP proxy that serves the official hosts. */
async function startUpstream(
  { subject, upstream: golden, backendPort: port }: ScenarioCheck,
  { backend, http2, ...options }: UpstreamOptions,
): Promise<SubjectUpstream> {
  const path = basePathOf(golden);
  if (subject.kind !== 'command' || subject.upstream === 'http') {
    const tap = await startReverseTap({ upstream: backend, port, ...options });
    return { url: `${tap.url}${path}`, close: tap.close };
  }
  return serveOfficialHosts(path, { backend: { ...backend, http2 }, port, ...options });
}

type UpstreamOptions = Pick<TapOptions, 'observe' | 'onProblem'> & {
  readonly backend: { readonly host: string; readonly port: number };
  /** Whether subjects that connect with TLS may use HTTP/2. */
  readonly http2: boolean;
};

function withoutSecrets(texts: ReadonlyMap<string, string>, sealer: Sealer): Map<string, string> {
  return new Map([...texts].map(([seal, text]) => [seal, sealer.withoutSecrets(text)]));
}

function isRefusal(event: TraceEvent): boolean {
  return event.type === 'response' && event.status >= 400;
}

function requestLine(event: TraceEvent): string[] {
  if (event.type !== 'request') return [];
  return [`${event.method} ${event.target.kind === 'string' ? event.target.value : ''}`];
}

/**
 * Waits until the subject has closed its upstream connections, one of them since there were `since` events; for some milliseconds
 * at most, as it may pool them.
 */
export async function connectionsClosed(
  back: readonly TraceEvent[],
  { most = 500, since }: { readonly most?: number; readonly since?: number } = {},
): Promise<void> {
  const count = (type: TraceEvent['type'], from = 0) =>
    back.slice(from).filter((event) => event.type === type).length;
  const isDone = () =>
    count('end') >= count('connection') && (since === undefined || count('end', since) > 0);
  for (let waited = 0; waited < most && !isDone(); waited += 5) await delay(5);
}
