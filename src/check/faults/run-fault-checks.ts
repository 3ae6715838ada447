import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Backend, startBackend } from '../../backend/backend.ts';
import type { ScriptedReply } from '../../backend/reply.ts';
import { type ClientEnvironment, inFreshFolder, makeEnvironment } from '../../client/official/environment.ts';
import { isPointed, type Lane } from '../../client/official/lanes.ts';
import { replay } from '../../client/replay/replay.ts';
import { type ClientView, clientView, type SeenExchange } from '../../diff/client-view.ts';
import {
  compareViews,
  type FaultResult,
  type FaultVerdict,
  judgeView,
  type SkippedScenario,
} from '../../diff/judge-view.ts';
import { ParityError, plainReason } from '../../errors.ts';
import { parseFault } from '../../fault/fault.ts';
import { type FaultRelay, startFaultRelay } from '../../fault/relay.ts';
import { readGoldenOf } from '../../golden/file.ts';
import { basePathOf, type Golden } from '../../golden/golden.ts';
import { type GoldenFolders, goldenFinder, selectGoldens } from '../../golden/select.ts';
import { ownTexts } from '../../scenario/own-texts.ts';
import { loadScenario, type Scenario } from '../../scenario/scenario.ts';
import { startReverseTap } from '../../tap/reverse.ts';
import { Sealer } from '../../trace/seal.ts';
import type { TraceEvent } from '../../trace/trace-event.ts';
import { TraceRecorder } from '../../trace/trace-recorder.ts';
import { inParallel } from '../in-parallel.ts';
import { shapeLoader } from '../kept-shapes.ts';
import { mustAcceptFirst, whyNotReproducible } from '../lane-rules.ts';
import { type SubjectUpstream, serveOfficialHosts } from '../outgoing-proxy.ts';
import { inLane } from '../run-checks.ts';
import { type RunningSubject, startSubject } from '../start-subject.ts';
import { clientSettings, hostOf, type Subject, servesOneAtATime, takesSignIn } from '../subject.ts';
import { type FaultCase, faultCases } from './fault-cases.ts';

/** The scenarios that are played with faults unless others are named: one turn, two turns, and a turn over HTTP. */
export const coreScenarios = ['default', 'second-turn', 'http-fallback'] as const;

export type FaultCheckOptions = {
  readonly subject: Subject;
  readonly lane: Lane;
  readonly goldens: GoldenFolders;
  readonly codex: string;
  readonly scenarios: readonly string[];
  /** Port of the simulated backend; 0 is any free one. */
  readonly backendPort: number;
  /** Milliseconds in which the subject has to respond. */
  readonly timeLimit: number;
  /** Which of the faults to play; all unless given. */
  readonly narrow?: (fault: FaultCase) => boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
};

/** What came of the faults, and which scenarios were not played. */
export type FaultRun = {
  readonly results: readonly FaultResult[];
  readonly skipped: readonly SkippedScenario[];
};

/** How many sessions have the same fault at the same time. */
const sessions = 3;

/** Milliseconds without an event after which a client has seen everything: one whose replay has ended, and one that waits. */
const quiet = { ended: 400, waiting: 2000 };

/** Milliseconds for more events to come, once a client of the subject has seen what it had to. */
const grace = 150;

/** Milliseconds between two looks at what clients have seen. */
const look = 20;

/**
 * Plays scenarios with every fault at every step, through the subject and directly, in several sessions at a time. Then plays each
 * without the fault, through the same subject. Throws ParityError if nothing can be played.
 */
export async function runFaultChecks(options: FaultCheckOptions): Promise<FaultRun> {
  const { subject, lane, backendPort, signal, onProgress } = options;
  return inFreshFolder(async (root) => {
    let environments = 0;
    const makeSignIn = (expired: boolean) => {
      environments += 1;
      return makeEnvironment(join(root, String(environments)), 0, { lane, expired });
    };
    const concurrency = servesOneAtATime(subject, backendPort) ? 1 : Math.max(2, availableParallelism());
    const lines = await inParallel(
      Array.from({ length: concurrency }, (_, index) => index),
      concurrency,
      () => FaultLine.start(options, makeSignIn),
    );
    try {
      const [first] = lines;
      if (first === undefined) throw new RangeError('no line to play on');
      const { played, skipped } = await playDirectly(first, options);
      const conditions = { hasTokens: hasTokens(options), usesTls: usesTls(subject) };
      const { narrow = () => true } = options;
      const cases = played.flatMap((one) =>
        faultCases(one.plain, { ...conditions, acceptsFirst: one.acceptsFirst })
          .filter(narrow)
          .map((fault) => ({ ...one, fault })),
      );
      let done = 0;
      const free = [...lines];
      const results = await inParallel(cases, concurrency, async ({ fault, ...one }) => {
        signal.throwIfAborted();
        const line = free.pop();
        if (line === undefined) throw new RangeError('more cases than lines');
        try {
          done += 1;
          onProgress(`${subject.name}: ${one.scenario.name}, ${fault.fault} (${done} of ${cases.length})`);
          const verdict = await line.judge(one, fault);
          const { step, what } = fault;
          return { scenario: one.scenario.name, step, what, fault: fault.fault, verdict };
        } finally {
          free.push(line);
        }
      });
      return { results, skipped };
    } finally {
      for (const line of lines) await line.close();
    }
  });
}

/** Finds out what a client sees of each scenario without a fault. Throws ParityError `no-golden` if none can be played. */
async function playDirectly(
  line: FaultLine,
  { lane, goldens, codex, scenarios }: FaultCheckOptions,
): Promise<{ readonly played: PlayedScenario[]; readonly skipped: SkippedScenario[] }> {
  const files = inLane(selectGoldens(goldens, [codex], scenarios), { lane, versions: [codex], scenarios });
  const find = goldenFinder(goldens);
  const played: PlayedScenario[] = [];
  const skipped: SkippedScenario[] = [...new Set(scenarios)]
    .filter((name) => !files.some(({ scenario }) => scenario === name))
    .map((scenario) => ({ scenario, reason: `no golden in lane ${lane}` }));
  for (const file of files) {
    const golden = readGoldenOf(file, file.path);
    const direct = { ...file, lane: 'chatgpt' };
    const upstream = isPointed(lane) ? readGoldenOf(direct, find(direct).path) : golden;
    const acceptsFirst = mustAcceptFirst(golden, upstream);
    const scenario = loadScenario(file.scenario);
    const one = { scenario, golden, basePath: basePathOf(upstream), acceptsFirst };
    const reason = whyNotReproducible(golden, upstream) ?? whyNotWithFaults(scenario, golden);
    if (reason === undefined) played.push({ ...one, plain: await line.direct(one, []) });
    else skipped.push({ scenario: file.scenario, reason });
  }
  if (played.length > 0) return { played, skipped };
  const [first] = skipped;
  throw new ParityError(
    'no-golden',
    `no scenario can be played with faults (${first?.scenario}: ${first?.reason}): choose others with --scenario`,
  );
}

/**
 * Why a scenario cannot be played with faults; undefined if it can. The backend refuses the upgrades of all sessions or of none, and
 * has none of the other faults that a scenario may have.
 */
function whyNotWithFaults({ faults = {} }: Scenario, { exchanges }: Golden): string | undefined {
  const { upgrades = [], ...others } = faults;
  const isRefused = upgrades.length > 0;
  const isAccepted = exchanges.some(
    ({ steps: [first] }) => first?.type === 'response' && first.status === 101,
  );
  return Object.keys(others).length > 0 || (isRefused && isAccepted) ? 'it has faults of its own' : undefined;
}

type ScenarioToPlay = {
  readonly scenario: Scenario;
  readonly golden: Golden;
  /** The path of the base URL that a subject is given. */
  readonly basePath: string;
  /** Whether a subject has to accept an upgrade before it can make its own. */
  readonly acceptsFirst: boolean;
};

type PlayedScenario = ScenarioToPlay & {
  /** What a client sees directly, without a fault. */
  readonly plain: ClientView;
};

/** A subject with a relay behind it that fails, for one fault after the other. */
class FaultLine {
  readonly #options: FaultCheckOptions;
  readonly #makeSignIn: (expired: boolean) => Promise<ClientEnvironment>;
  readonly #relay: FaultRelay;
  readonly #load = shapeLoader();
  #subject: Promise<RunningSubject> | undefined;
  /** Why the subject ended by itself. */
  #ended: string | undefined;
  /** The HTTP proxy in front of the relay, for a subject that connects to the official hosts. */
  #hosts: SubjectUpstream | undefined;

  private constructor(
    options: FaultCheckOptions,
    makeSignIn: (expired: boolean) => Promise<ClientEnvironment>,
    relay: FaultRelay,
  ) {
    this.#options = options;
    this.#makeSignIn = makeSignIn;
    this.#relay = relay;
  }

  static async start(
    options: FaultCheckOptions,
    makeSignIn: (expired: boolean) => Promise<ClientEnvironment>,
  ): Promise<FaultLine> {
    const upstream = { host: '127.0.0.1', port: 0 };
    const port = usesTls(options.subject) ? 0 : options.backendPort;
    const relay = await startFaultRelay({ upstream, port, side: 'backend' });
    return new FaultLine(options, makeSignIn, relay);
  }

  /** What a client sees that is connected to the failing backend directly. */
  async direct(one: ScenarioToPlay, faults: readonly string[]): Promise<ClientView> {
    const target = new URL(basePathOf(one.golden), `http://127.0.0.1:${this.#relay.port}`);
    const isDone = ({ hasEnded, quietFor }: SessionState) =>
      quietFor > (hasEnded ? quiet.ended : quiet.waiting);
    return this.#withFaults(one, faults, async () => (await this.#play(one, target, isDone)).view);
  }

  /** Plays a fault through the subject and directly. */
  async judge(one: PlayedScenario, fault: FaultCase): Promise<FaultVerdict> {
    const { plain } = one;
    const seen = await this.direct(one, [fault.directFault]);
    const direct = one.acceptsFirst ? withUpgradesAccepted(seen) : seen;
    // A fault that happens once is for one session alone.
    const count = fault.mayBeMended ? 1 : sessions;
    if (fault.step === 'token') await this.#end();
    const verdict = await this.#withFaults(one, [fault.fault], () =>
      this.#throughSubject(one, { count, expired: fault.step === 'token' }, (view) =>
        judgeView(view, { ...fault, plain, direct }),
      ),
    );
    if (verdict.type === 'wrong') {
      // It may still be busy with this fault.
      await this.#end();
      return verdict;
    }
    const after = await this.#withFaults(one, [], () =>
      this.#throughSubject(one, { count: sessions, expired: false }, (view) => {
        const problems = compareViews(plain, view).map(
          (problem) => `without the fault, afterwards: ${problem}`,
        );
        return problems.length === 0 ? verdict : { type: 'wrong', problems };
      }),
    );
    return after;
  }

  async close(): Promise<void> {
    await this.#end();
    await this.#relay.close();
  }

  /** Ends the subject. The next session starts it anew. */
  async #end(): Promise<void> {
    const running = await this.#subject?.catch(() => undefined);
    this.#subject = undefined;
    await running?.stop();
    await this.#hosts?.close();
    this.#hosts = undefined;
  }

  async #withFaults<T>(
    { scenario }: ScenarioToPlay,
    faults: readonly string[],
    work: () => Promise<T>,
  ): Promise<T> {
    const backend = await startScenario(scenario);
    this.#relay.forwardTo(backend.port);
    const [refusal] = scenario.faults?.upgrades ?? [];
    const own = refusal === undefined ? [] : [`status:${refusal}@upgrade:every`];
    this.#relay.arm([...own, ...faults].map(parseFault));
    try {
      return await work();
    } finally {
      await backend.close();
    }
  }

  /** Plays sessions through the subject at the same time. Returns the worst of their verdicts. */
  async #throughSubject(
    one: ScenarioToPlay,
    { count, expired }: { readonly count: number; readonly expired: boolean },
    judge: (view: ClientView) => FaultVerdict,
  ): Promise<FaultVerdict> {
    const { timeLimit } = this.#options;
    let running: RunningSubject;
    try {
      running = await this.#running(one, expired);
    } catch (error) {
      return { type: 'wrong', problems: [`the subject did not start: ${plainReason(error)}`] };
    }
    const isDone = ({ view, hasEnded, quietFor, lasted }: SessionState) => {
      if (this.#ended !== undefined || lasted > timeLimit) return true;
      const isWrong = judge(view()).type === 'wrong';
      return isWrong ? hasEnded && quietFor > quiet.waiting : quietFor > grace;
    };
    const played = await Promise.all(
      Array.from({ length: count }, () => this.#play(one, running.url, isDone)),
    );
    const problems = [
      ...(this.#ended === undefined ? [] : [this.#ended]),
      ...mixed(played.map(({ view }) => view)),
      ...(await this.#leftOpen()),
    ];
    const verdicts = played.map(({ view, lasted }): FaultVerdict => {
      const verdict = judge(view);
      if (verdict.type !== 'wrong' || lasted <= timeLimit) return verdict;
      return { type: 'wrong', problems: [...verdict.problems, `not done after ${timeLimit / 1000} s`] };
    });
    problems.push(
      ...new Set(verdicts.flatMap((verdict) => (verdict.type === 'wrong' ? verdict.problems : []))),
    );
    if (problems.length > 0) return { type: 'wrong', problems };
    return verdicts.find(({ type }) => type !== 'same') ?? verdicts[0] ?? { type: 'wrong', problems: [] };
  }

  /** The subject, started if it does not run. */
  async #running(one: ScenarioToPlay, expired: boolean): Promise<RunningSubject> {
    if (this.#ended !== undefined) await this.#end();
    this.#ended = undefined;
    this.#subject ??= this.#start(one, expired);
    return this.#subject;
  }

  async #start({ basePath }: ScenarioToPlay, expired: boolean): Promise<RunningSubject> {
    const { subject, lane, goldens, codex, backendPort, timeLimit, signal } = this.#options;
    const { signIn, codexHome } = await this.#makeSignIn(expired);
    const backend = { host: '127.0.0.1', port: this.#relay.port };
    if (usesTls(subject)) {
      const { failHandshake } = this.#relay;
      const options = { backend, port: backendPort, failHandshake, observe: () => {} };
      this.#hosts = await serveOfficialHosts(basePath, options);
    }
    const { url: upstream, outgoing } = this.#hosts ?? { url: `http://127.0.0.1:${backend.port}${basePath}` };
    const running = await startSubject(
      subject,
      {
        upstream,
        ...(outgoing === undefined ? {} : { outgoing }),
        signIn: { signIn, byKey: lane === 'api-key', expired },
        clientAuth: join(codexHome, 'auth.json'),
        ...{ codex, goldens, goldensFolder: goldens[0] ?? '', timeLimit, signal },
      },
      this.#load,
    );
    running.exited.catch((error: unknown) => {
      this.#ended = plainReason(error);
    });
    return running;
  }

  /** Plays the client of a golden, until it is done. */
  async #play(
    { scenario, golden }: ScenarioToPlay,
    target: URL,
    isDone: (state: SessionState) => boolean,
  ): Promise<{ readonly view: ClientView; readonly lasted: number }> {
    const events: TraceEvent[] = [];
    const started = performance.now();
    let quietFor = 0;
    let looked = started;
    const recorder = new TraceRecorder(new Sealer({ ownTexts: ownTexts(scenario) }), (event) => {
      events.push(event);
      quietFor = 0;
    });
    const tap = await startReverseTap({ upstream: hostOf(target), observe: recorder.observe });
    const stop = new AbortController();
    let hasEnded = false;
    let lasted = 0;
    const watch = async () => {
      const state = () => {
        const now = performance.now();
        lasted = now - started;
        // A longer time than this between two looks is one in which events could not be read.
        quietFor += Math.min(now - looked, 2 * look);
        looked = now;
        return { view: () => clientView(events), hasEnded, lasted, quietFor };
      };
      while (!this.#options.signal.aborted && !isDone(state())) await delay(look);
      stop.abort();
    };
    const watching = watch();
    try {
      const linger = () => {
        hasEnded = true;
        return watching;
      };
      const settings = clientSettings(this.#options.subject);
      await replay(golden, new URL(target.pathname, tap.url), stop.signal, { settings, linger });
      this.#options.signal.throwIfAborted();
      return { view: clientView(events), lasted };
    } finally {
      stop.abort();
      await watching;
      await tap.close();
    }
  }

  /** Waits until the subject has closed its websockets to the backend, after its clients have left. */
  async #leftOpen(): Promise<string[]> {
    const { timeLimit } = this.#options;
    const started = performance.now();
    while (this.#relay.openWebSockets() > 0 && performance.now() - started < timeLimit) await delay(look);
    const open = this.#relay.openWebSockets();
    if (open === 0) return [];
    return [`websockets to the backend left open for ${timeLimit / 1000} s: ${open}`];
  }
}

/** Whether a subject has a sign-in that can have expired: one that starts once has it from its start. */
function hasTokens({ subject, lane }: FaultCheckOptions): boolean {
  const startsAnew = subject.kind !== 'command' || !subject.once;
  return lane !== 'api-key' && takesSignIn(subject) && startsAnew;
}

function usesTls(subject: Subject): boolean {
  return subject.kind === 'command' && subject.upstream === 'https';
}

/** What a client sees whose upgrades are accepted before the backend responds. */
function withUpgradesAccepted({ exchanges, ids }: ClientView): ClientView {
  const waits = ({ method, status, end }: SeenExchange) =>
    method === 'GET' && status === undefined && end === 'silent';
  return { exchanges: exchanges.map((one) => (waits(one) ? { ...one, status: 101 } : one)), ids };
}

/** What is known of a session that is being played. Times are in milliseconds. */
type SessionState = {
  readonly view: () => ClientView;
  /** Whether the replay came to its end, or cannot go on. */
  readonly hasEnded: boolean;
  readonly lasted: number;
  /** For how long nothing has happened. */
  readonly quietFor: number;
};

/** Starts a backend that plays a scenario for each session. */
function startScenario({ backend: script }: Scenario): Promise<Backend> {
  const played = new Map<string | null, number>();
  return startBackend({
    script,
    repeats: true,
    replyTo: ({ promptCacheKey }): ScriptedReply | undefined => {
      const index = played.get(promptCacheKey) ?? 0;
      played.set(promptCacheKey, index + 1);
      return script[Math.min(index, script.length - 1)];
    },
  });
}

/** Whether any session saw what was for another one. */
function mixed(views: readonly ClientView[]): string[] {
  const all = views.flatMap(({ ids }) => [...ids]).filter((id) => id !== 'resp_early');
  const twice = all.length - new Set(all).size;
  return twice === 0 ? [] : [`mixed: responses that two sessions saw: ${twice}`];
}
