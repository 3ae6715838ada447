import { join } from 'node:path';
import { startReverseTap } from '../tap/reverse.ts';
import type { Observe } from '../trace/observation.ts';
import { Sealer } from '../trace/seal.ts';
import { createTrace } from '../trace/trace.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';

/** A recording of what goes to a server through it. */
export type UpstreamRecording = {
  /** What to speak to in the place of the server. */
  readonly url: URL;
  /** The trace that is written. */
  readonly path: string;
  readonly finish: () => Promise<void>;
};

/**
 * Puts a tap before a server, for a program that can be told where its server is, and writes a sealed trace of what
 * goes through to a new file in `folder`. Throws what making the file throws.
 */
export async function recordUpstream(server: URL, folder: string): Promise<UpstreamRecording> {
  const path = join(folder, `${new Date().toISOString().replaceAll(/[:.]/g, '-')}.trace.jsonl`);
  const trace = createTrace(path, { recorded: 'live' });
  const recorder = new TraceRecorder(new Sealer(), (event) => trace.write(event));
  const { url, close } = await tapBefore(server, recorder.observe);
  return {
    url,
    path,
    finish: async () => {
      await close();
      trace.finish();
    },
  };
}

/** Puts a tap before a server; `url` is what to speak to in its place. */
export async function tapBefore(
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
