import { join } from 'node:path';
import { startReverseTap } from '../tap/reverse.ts';
import type { Observe } from '../trace/observation.ts';
import { Sealer } from '../trace/seal.ts';
import { createTrace } from '../trace/trace.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';

/** A recording of the traffic with a server. */
type UpstreamRecording = {
  /** The URL to use instead of the server's. */
  readonly url: URL;
  /** The path of the trace. */
  readonly path: string;
  readonly finish: () => Promise<void>;
};

/**
 * Starts a tap in front of a server, for programs whose server is configurable, and writes a sealed trace of the
 * traffic to a new file in `folder`. Throws ParityError when the file cannot be created.
 */
export async function recordUpstream(server: URL, folder: string): Promise<UpstreamRecording> {
  const path = join(folder, `${new Date().toISOString().replaceAll(/[:.]/g, '-')}.trace.jsonl`);
  const trace = createTrace(path, { recorded: 'live' });
  const recorder = new TraceRecorder(new Sealer(), (event) => trace.write(event));
  const { url, close } = await tapInFrontOf(server, recorder.observe);
  return {
    url,
    path,
    finish: async () => {
      await close();
      trace.finish();
    },
  };
}

/** Starts a tap in front of a server. `url` is the URL to use instead of the server's. */
export async function tapInFrontOf(
  server: URL,
  observe: Observe,
): Promise<{ readonly url: URL; readonly close: () => Promise<void> }> {
  const tls = server.protocol === 'https:';
  const tap = await startReverseTap({
    upstream: { host: server.hostname, port: Number(server.port || (tls ? 443 : 80)), tls },
    observe,
    authority: server.host,
  });
  return { url: new URL(server.pathname, tap.url), close: tap.close };
}
