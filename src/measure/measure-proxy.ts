import { join } from 'node:path';
import { startBackend } from '../backend/backend.ts';
import { inFreshFolder, makeEnvironment } from '../client/official/environment.ts';
import { ParityError } from '../errors.ts';
import { readGolden } from '../golden/file.ts';
import { findGolden, type GoldenFolders } from '../golden/select.ts';
import { modelsOf } from '../golden/trace/models.ts';
import { lineLogger } from '../proxy/log.ts';
import { startProxy } from '../proxy/server.ts';
import { loadProxySetup, type ProxySetup } from '../proxy/setup.ts';
import { tapInFrontOf } from '../record/record-live.ts';
import { Sealer } from '../trace/seal.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';
import { connections, type MeasureOptions, measureTiers } from './measure-tiers.ts';
import type { TierReport } from './tier-report.ts';
import { summarise } from './tier-summary.ts';
import { tiers } from './timed-turn.ts';

export type ProxyMeasurement = Pick<MeasureOptions, 'prompt' | 'runs' | 'signal' | 'onRun'> & {
  /** Folder of the goldens. */
  readonly goldens: GoldenFolders;
  /** The model that the official client requests by default, unless given. */
  readonly model: string | undefined;
};

/** Measures both tiers through the bundled proxy with a real sign-in and upstream. */
export function measureLive(
  options: ProxyMeasurement,
  setup: ProxySetup,
  upstream: URL,
): Promise<TierReport> {
  return measure(options, setup, upstream, 'live');
}

/** Measures both tiers through the bundled proxy with the simulated backend and a made-up sign-in. */
export function measureSimulated(options: ProxyMeasurement, codex: string): Promise<TierReport> {
  return inFreshFolder(async (root) => {
    const { codexHome } = await makeEnvironment(root, 0);
    const turns = tiers.length * connections.length * options.runs;
    const script = Array.from({ length: turns }, () => ({ reply: 'text', text: 'Done' }) as const);
    const backend = await startBackend({ script });
    try {
      const setup = await loadProxySetup({
        goldens: options.goldens,
        codex,
        auth: join(codexHome, 'auth.json'),
        tokenUrl: new URL('/oauth/token', backend.origin),
      });
      return await measure(options, setup, new URL('/backend-api/codex', backend.origin), 'simulated');
    } finally {
      await backend.close();
    }
  });
}

/** A tap behind the proxy records what the proxy really sends. */
async function measure(
  options: ProxyMeasurement,
  setup: ProxySetup,
  upstream: URL,
  backend: TierReport['backend'],
): Promise<TierReport> {
  const { prompt, runs, signal, onRun } = options;
  const { codex, lane } = setup;
  const model = options.model ?? defaultModel(options.goldens, setup);
  const events: TraceEvent[] = [];
  const recorder = new TraceRecorder(new Sealer(), (event) => events.push(event));
  const tap = await tapInFrontOf(upstream, { observe: recorder.observe });
  try {
    const proxy = await startProxy({
      ...setup.options,
      upstream: tap.url,
      host: upstream.host,
      port: 0,
      // The second turn of a session follows at once. A connection is not used again after that.
      limits: { connectionIdle: 1000 },
      log: lineLogger(() => {}),
    });
    try {
      const origin = `http://127.0.0.1:${proxy.port}`;
      const takeEvents = () => events.splice(0);
      const results = await measureTiers({ origin, model, prompt, runs, takeEvents, signal, onRun });
      return { codex, lane, backend, upstream: upstream.href, model, prompt, tiers: summarise(results) };
    } finally {
      await proxy.close();
    }
  } finally {
    await tap.close();
  }
}

/** The model that the official client requests by default. */
function defaultModel(goldens: GoldenFolders, { codex, lane }: ProxySetup): string {
  const { exchanges } = readGolden(findGolden(goldens, { codex, lane, scenario: 'default' }).path);
  const [model] = modelsOf(exchanges);
  if (model !== undefined) return model;
  throw new ParityError('usage', `the goldens of codex ${codex} contain no model: choose one with --model`);
}
