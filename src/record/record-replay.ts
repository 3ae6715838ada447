import { rmSync } from 'node:fs';
import { officialSettings } from '../client/client-settings.ts';
import { type ReplayOutcome, replay } from '../client/replay/replay.ts';
import { speaksHttp2 } from '../client/replay/speaks-http2.ts';
import type { Fault } from '../fault/fault.ts';
import { startFaultRelay } from '../fault/relay.ts';
import { basePathOf, type Golden } from '../golden/golden.ts';
import { parseTemplate } from '../golden/pattern/template.ts';
import { eventsOf } from '../golden/trace/exchanges.ts';
import { encodeEvent } from '../trace/codec.ts';
import { Sealer } from '../trace/seal.ts';
import { createTrace } from '../trace/trace.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';
import { stringsIn } from '../wire/json.ts';
import { tapInFrontOf, timeFromNow } from './record-live.ts';

/** What is replayed, where to, and where its trace goes. */
type ReplayRecording = {
  readonly golden: Golden;
  /** The base URL of the server's Responses API. Without a path, requests go to the path of the recording. */
  readonly server: URL;
  /** The path of the trace. */
  readonly out: string;
  /** The bearer token for the server; a made-up one if absent. */
  readonly token?: string;
  /** How many times as fast as in the recording the client is; absent does not wait. */
  readonly speed?: number | undefined;
  readonly faults?: readonly Fault[];
  /** The seed by which the client's bytes and speed vary; absent varies nothing. */
  readonly vary?: number | undefined;
  readonly signal: AbortSignal;
  readonly onProblem: (problem: string) => void;
};

/** `missed` has the faults that did not happen, as they were written. */
type RecordedReplay = ReplayOutcome & { readonly missed: readonly string[] };

/** Plays the client's side of a golden to a server, and writes a sealed trace of the traffic. */
export async function recordReplay(recording: ReplayRecording): Promise<RecordedReplay> {
  const { golden, server, out, token, speed, faults = [], vary, signal, onProblem } = recording;
  const { codex, lane, scenario, exchanges } = golden;
  const trace = createTrace(out, { recorded: 'replay', codex, lane, scenario });
  const sealer = new Sealer({
    ownTexts: exchanges.flatMap(eventsOf).flatMap(readableTexts),
    ...(token === undefined ? {} : { secrets: { token: [token] } }),
  });
  let requests = 0;
  const timed = timeFromNow();
  const recorder = new TraceRecorder(sealer, (event) => {
    if (event.type === 'request') requests += 1;
    trace.write(timed(event));
  });
  const base = new URL(server.pathname === '/' ? basePathOf(golden) : server.pathname, server);
  const isPlain = faults.length === 0 && vary === undefined;
  const isHttp2 =
    faults.length === 0 &&
    exchanges.some(({ request }) => request.http2 !== undefined) &&
    (await speaksHttp2(base));
  const tap = await tapInFrontOf(base, { observe: recorder.observe, onProblem, http2: isHttp2 });
  const upstream = { host: '127.0.0.1', port: Number(tap.url.port) };
  const relay = isPlain ? undefined : await startFaultRelay({ upstream, side: 'client', faults, vary });
  const entrance = new URL(tap.url);
  entrance.port = String(relay?.port ?? upstream.port);
  try {
    const outcome = await replay(golden, entrance, signal, {
      authority: server.host,
      ...(isHttp2 ? { http2: server.protocol === 'https:' ? 'https' : 'http' } : {}),
      speed,
      ...(token === undefined ? {} : { settings: { ...officialSettings, key: token } }),
    });
    return { ...outcome, missed: relay?.left() ?? [] };
  } finally {
    await relay?.close();
    await tap.close();
    trace.finish();
    if (requests === 0) rmSync(out, { force: true });
  }
}

/** The texts of an event. What a recording shows has been sealed already, so that it may stay readable. */
function readableTexts(event: TraceEvent): string[] {
  return stringsIn(encodeEvent(event))
    .flatMap(parseTemplate)
    .flatMap((part) => ('literal' in part ? [part.literal] : []));
}
