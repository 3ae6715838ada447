import { type Finding, placesKey } from '../diff/finding.ts';
import type { ClientDifferences, Unfinished } from '../diff/verdict.ts';
import type { VersionFit } from '../diff/version-fit.ts';
import type { Place } from '../golden/match/mismatch.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { inParallel } from './in-parallel.ts';

/** Why a program that uses OpenAI's library cannot play a scenario. */
const reasons = {
  ownTurn: 'only the official client sends this request, never a program',
  ownFacts: 'the request describes the folder, tools or settings of the official client',
  noRequest: 'the official client sends no model request',
} as const;

/** The scenarios that are not played. */
const notPlayed: ReadonlyMap<string, string> = new Map([
  ['compaction', reasons.ownTurn],
  ['interrupt', reasons.ownTurn],
  ['resume', reasons.ownTurn],
  ['review', reasons.ownTurn],
  ['steering', reasons.ownTurn],
  ['subagent', reasons.ownTurn],
  ['agents-md', reasons.ownFacts],
  ['effort-switched', reasons.ownFacts],
  ['mcp-tool', reasons.ownFacts],
  ['refresh-refused', reasons.noRequest],
]);

/** Why OpenAI's library cannot play a scenario; undefined if it can. */
export function whyNotForPrograms({ name }: Scenario): string | undefined {
  return notPlayed.get(name);
}

/** The results of the tools called in a scenario, in the order of the calls. */
export function toolResultsOf({ client, backend }: Scenario): string[] {
  const resultOf = (server: string, tool: string) =>
    client.mcpServers?.find(({ name }) => name === server)?.tools.find(({ name }) => name === tool)?.answer ??
    '';
  return backend
    .flatMap((reply) => (reply.reply === 'tool_calls' ? reply.calls : []))
    .map((call) => (call.call === 'mcp' ? resultOf(call.server, call.tool) : call.output));
}

/** What was found in the traffic of a scenario, and which comparisons were not made to their end. */
export type JudgedTraffic = {
  readonly findings: readonly Finding[];
  readonly unfinished: Unfinished;
  readonly client?: ClientDifferences;
  readonly sender?: VersionFit;
};

/** How a program receives a response: event by event, or as one body. */
const modes = [
  { mode: 'streamed', streams: true },
  { mode: 'whole', streams: false },
] as const;

/**
 * Judges both modes. A finding at the same places in both is one finding; what one mode did not finish is not finished.
 * `concurrently`: run the modes at the same time.
 */
export async function inBothModes(
  concurrently: boolean,
  check: (streams: boolean) => Promise<JudgedTraffic>,
): Promise<JudgedTraffic> {
  const perMode = await inParallel(modes, concurrently ? modes.length : 1, async ({ mode, streams }) => ({
    mode,
    ...(await check(streams)),
  }));
  const merged = new Map<string, Finding>();
  for (const { mode, findings } of perMode) {
    for (const finding of findings) {
      const key = JSON.stringify([finding.comparison, placesKey(finding)]);
      const known = merged.get(key);
      const places = finding.places.map((place): Place => ({ ...place, mode }));
      merged.set(key, { ...(known ?? finding), places: [...(known?.places ?? []), ...places] });
    }
  }
  return {
    findings: [...merged.values()],
    unfinished: Object.assign({}, ...perMode.map(({ unfinished }) => unfinished)),
    ...perMode.map(({ sender }) => (sender === undefined ? {} : { sender })).at(0),
  };
}
