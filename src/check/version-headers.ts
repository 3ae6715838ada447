import type { VersionHeaders } from '../diff/version-fit.ts';
import { readGoldenOf } from '../golden/file.ts';
import { type GoldenFolders, layeredGoldens } from '../golden/select.ts';
import type { HeaderField } from '../trace/trace-event.ts';

/** Scenarios that every version has: one over a websocket, and one over HTTP. */
const scenarios: ReadonlySet<string> = new Set(['default', 'http-fallback']);

/** The headers that every version with goldens sends in a lane; those of lane `chatgpt`, where a version lacks the lane. */
export function versionHeaders(goldens: GoldenFolders, lane: string): VersionHeaders {
  const headers = new Map<string, Map<string, readonly HeaderField[]>>();
  const files = layeredGoldens(goldens).filter(({ scenario }) => scenarios.has(scenario));
  for (const own of ['chatgpt', lane]) {
    for (const file of files.filter((one) => one.lane === own)) {
      const byMethod = headers.get(file.codex) ?? new Map<string, readonly HeaderField[]>();
      headers.set(file.codex, byMethod);
      for (const { request } of readGoldenOf(file, file.path).exchanges)
        byMethod.set(request.method, request.headers);
    }
  }
  return headers;
}
