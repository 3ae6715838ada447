import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { startBackend } from '../backend/backend.ts';
import type { ScriptedReply } from '../backend/reply.ts';
import {
  type ClientEnvironment,
  inFreshFolder,
  makeEnvironment,
  secretsOf,
} from '../client/official/environment.ts';
import { isPointed } from '../client/official/lanes.ts';
import { settingLines } from '../client/official/run-client.ts';
import { writeTaskFiles } from '../client/official/task-files.ts';
import { definedOnly, type GroupRun, runInGroup } from '../client/process-group.ts';
import { ParityError, startFailure } from '../errors.ts';
import { makeFolder } from '../files.ts';
import { basePathOf, type Golden } from '../golden/golden.ts';
import { exchangesOf } from '../golden/trace/exchanges.ts';
import { modelsOf } from '../golden/trace/models.ts';
import { ownTexts } from '../scenario/own-texts.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../tap/certificate-authority.ts';
import { startInterceptingTap } from '../tap/intercept.ts';
import { startReverseTap } from '../tap/reverse.ts';
import type { Observation } from '../trace/observation.ts';
import { Sealer } from '../trace/seal.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';
import {
  type ClientPlaceholders,
  type ClientUnderTest,
  filledText,
  filledWords,
  settingValues,
  usesPlaceholder,
} from './client-under-test.ts';
import { type CredentialUse, knownCredentials } from './credentials.ts';
import { connectionsClosed } from './observe.ts';
import { type OutgoingProxy, outgoingVariables } from './outgoing-proxy.ts';
import type { ScenarioCheck } from './scenario-check.ts';

/** One scenario for a client to play, and all that it needs. */
export type ClientCheck = Pick<
  ScenarioCheck,
  'lane' | 'knownVersions' | 'timeLimit' | 'vary' | 'keepsTraffic' | 'signal' | 'traces'
> & {
  readonly client: ClientUnderTest;
  readonly scenario: Scenario;
  /** What the official client sends. */
  readonly golden: Golden;
};

/** What a client did in a scenario. `back` is its model traffic. */
export type ObservedClient = CredentialUse & {
  readonly events: readonly TraceEvent[];
  readonly run: GroupRun;
  /** Where its model requests were expected: a URL, or `{baseUrl}`. */
  readonly url: string;
  /** The model of the scenario, if the command passes it on: what it sends to another model is its own. */
  readonly model: string | undefined;
  /** The first lines of all its requests, such as `GET /v1/models`. */
  readonly requests: readonly string[];
};

/**
 * Runs a client for the prompt of a scenario, with a tap between it and the simulated backend. The client is observed at the
 * base URL if it has one, and otherwise at the official hosts, which an HTTP proxy serves.
 *
 * @throws ParityError `usage` if the client cannot be started, `interrupted` when the signal fires.
 */
export function observeClient(check: ClientCheck): Promise<ObservedClient> {
  const { scenario, lane } = check;
  return inFreshFolder(async (root) =>
    observe(check, await makeEnvironment(root, 0, { ...scenario.client, lane }), root),
  );
}

async function observe(
  check: ClientCheck,
  environment: ClientEnvironment,
  root: string,
): Promise<ObservedClient> {
  const { client, scenario, golden, lane } = check;
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  const sealer = new Sealer({ ownTexts: ownTexts(scenario), secrets: secretsOf(environment) });
  const events: TraceEvent[] = [];
  const start = performance.now();
  const timed = (event: TraceEvent) => ({ ...event, at: performance.now() - start });
  const recorder = new TraceRecorder(sealer, (event) => events.push(timed(event)));
  const requests = new Set<string>();
  const byUrl = isPointed(lane) || usesPlaceholder(client, 'baseUrl', 'origin');
  const observer = (isRecorded: boolean) => (observation: Observation) => {
    if (observation.type === 'request')
      requests.add(`${observation.head.method} ${observation.head.target.replace(/\?.*$/s, '')}`);
    if (isRecorded) recorder.observe(observation);
  };
  const open: (() => Promise<void>)[] = [];
  try {
    const model = usesPlaceholder(client, 'model') ? modelOf(check) : undefined;
    const backend = await startBackend({
      script: scenario.backend,
      vary: check.vary,
      // Its own requests, such as one for a title, use no reply of the scenario.
      replyTo: (request) => (model === undefined || request.model === model ? undefined : ownReply),
      ...(scenario.faults === undefined ? {} : { faults: scenario.faults }),
    });
    open.push(backend.close);
    const upstream = { host: '127.0.0.1', port: backend.port };
    const official = await startInterceptingTap({
      authority,
      upstream: { kind: 'fixed', ...upstream, tls: false, http2: scenario.http2 && backend.http2 },
      onOtherHost: 'refuse',
      observe: observer(!byUrl),
    });
    open.push(official.close);
    const direct = await startReverseTap({ upstream, observe: observer(byUrl) });
    open.push(direct.close);
    const path = basePathOf(golden);
    const baseUrl = `${direct.url}${path}`;
    const values = await writeSettings(check, environment, baseUrl);
    const run = await runClient(check, {
      values,
      environment,
      proxy: { url: official.url, authority },
      root,
    });
    await connectionsClosed(events);
    const takesSignIn = usesPlaceholder(client, 'auth', 'token', 'account', 'codexHome');
    return {
      events,
      run,
      back: exchangesOf(events),
      model,
      url: byUrl ? '{baseUrl}' : `https://${path === '/v1' ? 'api.openai.com' : 'chatgpt.com'}${path}`,
      requests: [...requests],
      renewed: requests.has('POST /oauth/token'),
      credentials: takesSignIn ? knownCredentials(sealer, environment.signIn, []) : undefined,
    };
  } finally {
    for (const close of open.reverse()) await close();
  }
}

/** Writes the settings of a scenario and the files of a client. Returns the values of its placeholders. */
async function writeSettings(
  check: ClientCheck,
  environment: ClientEnvironment,
  baseUrl: string,
): Promise<ClientPlaceholders> {
  const { client, scenario, golden, lane } = check;
  const { home, codexHome, signIn } = environment;
  const task = scenario.client;
  const files = await writeTaskFiles(task, environment);
  const settings = settingLines(
    {
      config: task.config,
      model: task.model,
      connect: isPointed(lane) ? { kind: lane, baseUrl } : { kind: 'intercepted' },
    },
    files,
  );
  await writeFile(join(codexHome, 'config.toml'), settings.map((line) => `${line}\n`).join(''));
  const values: ClientPlaceholders = {
    prompt: 'prompt' in task ? task.prompt : '',
    baseUrl,
    origin: new URL(baseUrl).origin,
    auth: join(codexHome, 'auth.json'),
    token: lane === 'api-key' ? signIn.apiKey : signIn.accessToken,
    account: signIn.accountId,
    home,
    codexHome,
    model: modelOf(check),
    codex: golden.codex,
    scenario: scenario.name,
    ...settingValues(scenario),
    ...(files.image === undefined ? {} : { image: files.image }),
    ...(files.schema === undefined ? {} : { schema: files.schema }),
  };
  for (const [name, text] of Object.entries(client.files)) {
    const path = join(home, name);
    makeFolder(dirname(path));
    await writeFile(path, filledText(text, values), { mode: 0o600 });
  }
  return values;
}

/** The model that the official client uses in a scenario. */
function modelOf({ scenario, golden }: ClientCheck): string {
  return scenario.client.model ?? modelsOf(golden.exchanges)[0] ?? '';
}

/** What the backend replies to a request that is not of the scenario. */
const ownReply: ScriptedReply = { reply: 'text', text: 'OK' };

/** The variables of the official client and of OpenAI's library. Those of the user must not reach a client under test. */
const ofUser = /^(?:CODEX|OPENAI)_/;

async function runClient(
  { client, timeLimit, signal }: ClientCheck,
  {
    values,
    environment,
    proxy,
    root,
  }: {
    readonly values: ClientPlaceholders;
    readonly environment: ClientEnvironment;
    readonly proxy: OutgoingProxy;
    readonly root: string;
  },
): Promise<GroupRun> {
  const inherited = Object.entries(definedOnly(process.env)).filter(([name]) => !ofUser.test(name));
  const own = Object.entries(client.env).flatMap(([name, text]) => {
    const [value] = filledWords([text], values);
    return value === undefined ? [] : [[name, value]];
  });
  const [program = ''] = client.command;
  const run = await runInGroup(filledWords(client.command, values), {
    cwd: environment.cwd,
    env: {
      ...Object.fromEntries(inherited),
      ...environment.env,
      ...outgoingVariables(proxy, root),
      ...Object.fromEntries(own),
    },
    timeoutMs: timeLimit,
    signal,
  }).catch((error: unknown) => {
    throw new ParityError('usage', startFailure(program, error));
  });
  signal.throwIfAborted();
  return run;
}
