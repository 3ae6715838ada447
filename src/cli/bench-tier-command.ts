import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { startBackend } from '../backend/backend.ts';
import { inFreshFolder, makeEnvironment } from '../client/official/environment.ts';
import { ParityError } from '../errors.ts';
import { mustBeWritable, writeWhole } from '../files.ts';
import { goldenPath, readGolden } from '../golden/file.ts';
import { findingsIn, summarise } from '../measure/summary.ts';
import { type TierReport, tierJson, tierText } from '../measure/tier-report.ts';
import { measureTiers, type Run } from '../measure/tiers.ts';
import { lineLogger } from '../proxy/log.ts';
import { startProxy } from '../proxy/server.ts';
import type { ProxySetup } from '../proxy/setup.ts';
import { tapInFrontOf } from '../record/record-upstream.ts';
import { onOneLine } from '../report/text.ts';
import { standardOutput } from '../report/write.ts';
import { Sealer } from '../trace/seal.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';
import { stringAt } from '../wire/json.ts';
import type { CommandContext } from './command-context.ts';
import { mustBeWhole } from './options.ts';
import { progress } from './progress.ts';
import {
  loadSetup,
  officialUpstreams,
  parseUpstream,
  type SetupOptions,
  setupOptions,
} from './proxy-setup.ts';

type BenchTierOptions = SetupOptions & {
  live: boolean;
  runs: number;
  model: string | undefined;
  prompt: string;
  json: string | undefined;
};

/** The most turns with each tier: every one may cost the user. */
const mostRuns = 1000;

export function benchTierCommand({ signal, exit }: CommandContext): CommandModule<object, BenchTierOptions> {
  return {
    command: 'bench-tier',
    describe: 'Measure priority against the default tier, and tell what was sent',
    builder: (yargs) =>
      yargs
        .option('live', {
          type: 'boolean',
          default: false,
          describe: 'Ask the real backend with your own sign-in; else a simulated one',
        })
        .option('runs', { requiresArg: true, type: 'number', default: 10, describe: 'Turns with each tier' })
        .option('model', {
          type: 'string',
          defaultDescription: 'the one that the version asks for by itself',
          describe: 'The model to ask',
        })
        .option('prompt', {
          type: 'string',
          default: 'Count from 1 to 100, one number a line, and say nothing else.',
          describe: 'What to ask it',
        })
        .options(setupOptions(', with --live'))
        .option('json', {
          type: 'string',
          // Or "-" would not be taken for its value.
          requiresArg: true,
          describe: 'File to write the result to as JSON; "-" is standard output, in the place of the table',
        })
        .example('$0 bench-tier --live --runs 20', 'forty turns of your account')
        .example('$0 bench-tier', 'the same against the simulated backend, to see what is sent'),
    handler: async (options) => {
      refuseMisuse(options);
      const report = options.live
        ? await againstLive(options, signal)
        : await againstSimulated(options, signal);
      write(report, options.json);
      if (findingsIn(report.tiers).length > 0) return exit(1);
      const missing = report.tiers.filter(({ totalMs }) => totalMs === null).map(({ asked }) => asked);
      if (missing.length === 0) return;
      throw new ParityError(
        'not-measured',
        `every turn failed with ${missing.join(' and ')}: nothing is measured`,
      );
    },
  };
}

function refuseMisuse({ live, runs, auth, upstream, json }: BenchTierOptions): void {
  mustBeWhole('runs', runs, 1, mostRuns);
  // Turns that were paid for shall not be lost to a path.
  if (json !== undefined && json !== standardOutput) mustBeWritable(json);
  if (live || (auth === undefined && upstream === undefined)) return;
  throw new ParityError(
    'usage',
    '--auth and --upstream are for --live: the simulated backend takes a made-up sign-in',
  );
}

async function againstLive(options: BenchTierOptions, signal: AbortSignal): Promise<TierReport> {
  const setup = await loadSetup(options);
  const upstream = parseUpstream(options.upstream ?? officialUpstreams[setup.lane]);
  progress(
    `${2 * options.runs} turns go to ${upstream.href} and count against your account, half of them at the price of priority`,
  );
  return measured(options, setup, upstream, signal);
}

function againstSimulated(options: BenchTierOptions, signal: AbortSignal): Promise<TierReport> {
  return inFreshFolder(async (root) => {
    const { codexHome } = await makeEnvironment(root, 0);
    const setup = await loadSetup({ ...options, auth: join(codexHome, 'auth.json') });
    const script = Array.from({ length: 2 * options.runs }, () => ({ reply: 'text', text: 'Done' }) as const);
    const backend = await startBackend({ script });
    try {
      return await measured(options, setup, new URL('/backend-api/codex', backend.origin), signal);
    } finally {
      await backend.close();
    }
  });
}

/** Measures through the proxy, with a tap behind it that sees what is really sent. */
async function measured(
  options: BenchTierOptions,
  setup: ProxySetup,
  upstream: URL,
  signal: AbortSignal,
): Promise<TierReport> {
  const { runs, prompt, live } = options;
  const model = options.model ?? (await usualModel(options.goldens, setup));
  const events: TraceEvent[] = [];
  const recorder = new TraceRecorder(new Sealer(), (event) => events.push(event));
  const tap = await tapInFrontOf(upstream, recorder.observe);
  try {
    const proxy = await startProxy({
      ...setup.options,
      upstream: tap.url,
      host: upstream.host,
      port: 0,
      // Every turn is in a session of its own: its connection is of no further use.
      limits: { connectionIdle: 0 },
      log: lineLogger(() => {}),
    });
    try {
      const taken = await measureTiers({
        origin: `http://127.0.0.1:${proxy.port}`,
        model,
        prompt,
        runs,
        seen: () => events.splice(0),
        signal,
        onRun: (run, at) => progress(onOneLine(`${at}/${2 * runs} ${told(run)}`)),
      });
      const { codex, lane } = setup;
      const backend = live ? 'live' : 'simulated';
      return { codex, lane, backend, upstream: upstream.href, model, prompt, tiers: summarise(taken) };
    } finally {
      await proxy.close();
    }
  } finally {
    await tap.close();
  }
}

/** The model that the official client asks for when it is told nothing. */
async function usualModel(goldens: string, { codex, lane }: ProxySetup): Promise<string> {
  const { exchanges } = readGolden(goldenPath(goldens, { codex, lane, scenario: 'default' }));
  const models = exchanges
    .flatMap(({ steps }) => steps)
    .flatMap((step) => {
      if (step.type === 'response' || step.from !== 'client' || step.content.kind !== 'json') return [];
      return stringAt(step.content.json, 'model') ?? [];
    });
  if (models[0] !== undefined) return models[0];
  throw new ParityError('usage', `the goldens of codex ${codex} name no model: name one with --model`);
}

function told({ asked, turn }: Run): string {
  if (turn.kind === 'failed') return `${asked}: failed: ${turn.reason}`;
  return `${asked}: first token ${turn.firstToken.toFixed(0)} ms, total ${turn.total.toFixed(0)} ms`;
}

function write(report: TierReport, json: string | undefined): void {
  if (json === standardOutput) process.stdout.write(tierJson(report));
  else process.stdout.write(tierText(report));
  if (json !== undefined && json !== standardOutput) writeWhole(json, tierJson(report));
}
