import { rmSync } from 'node:fs';
import { officialSettings } from '../client/client-settings.ts';
import { type ReplayOutcome, replay } from '../client/replay/replay.ts';
import type { Golden } from '../golden/golden.ts';
import { parseTemplate } from '../golden/pattern/template.ts';
import { eventsOf } from '../golden/trace/exchanges.ts';
import { encodeEvent } from '../trace/codec.ts';
import { Sealer } from '../trace/seal.ts';
import { createTrace } from '../trace/trace.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';
import { stringsIn } from '../wire/json.ts';
import { tapInFrontOf } from './record-live.ts';

/** What is replayed, where to, and where its trace goes. */
type ReplayRecording = {
  readonly golden: Golden;
  /** The base URL of the server's Responses API. */
  readonly server: URL;
  /** The path of the trace. */
  readonly out: string;
  /** The bearer token for the server; a made-up one if absent. */
  readonly token?: string;
  readonly signal: AbortSignal;
  readonly onProblem: (problem: string) => void;
};

/** Plays the client's side of a golden to a server, and writes a sealed trace of the traffic. */
export async function recordReplay(recording: ReplayRecording): Promise<ReplayOutcome> {
  const { golden, server, out, token, signal, onProblem } = recording;
  const { codex, lane, scenario, exchanges } = golden;
  const trace = createTrace(out, { recorded: 'replay', codex, lane, scenario });
  const sealer = new Sealer({
    ownTexts: exchanges.flatMap(eventsOf).flatMap(readableTexts),
    ...(token === undefined ? {} : { secrets: { token: [token] } }),
  });
  let requests = 0;
  const recorder = new TraceRecorder(sealer, (event) => {
    if (event.type === 'request') requests += 1;
    trace.write(event);
  });
  const tap = await tapInFrontOf(server, recorder.observe, onProblem);
  try {
    return await replay(golden, tap.url, signal, {
      authority: server.host,
      ...(token === undefined ? {} : { settings: { ...officialSettings, key: token } }),
    });
  } finally {
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
