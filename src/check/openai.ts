import type { Finding } from '../diff/finding.ts';
import type { Scenario } from '../scenario/definition.ts';
import { inParallel } from './in-parallel.ts';

/** What no program does with the library of OpenAI, by scenario. */
const reasons = {
  ownTurn: 'the official client asks for it by itself, and no program can',
  ownFacts: 'the request tells of the folder, the tools or the settings of the official client itself',
  neverAsks: 'the official client asks for nothing',
} as const;

/** The scenarios that are left out, and why; all others are played. */
const leftOut: ReadonlyMap<string, string> = new Map([
  ['compaction', reasons.ownTurn],
  ['interrupt', reasons.ownTurn],
  ['resume', reasons.ownTurn],
  ['review', reasons.ownTurn],
  ['steering', reasons.ownTurn],
  ['subagent', reasons.ownTurn],
  ['agents-md', reasons.ownFacts],
  ['effort-switched', reasons.ownFacts],
  ['mcp-tool', reasons.ownFacts],
  ['refresh-refused', reasons.neverAsks],
]);

/** Why a scenario is left out where the client is the library of OpenAI; undefined where it is played. */
export function cannotAsk({ name }: Scenario): string | undefined {
  const reason = leftOut.get(name);
  return reason === undefined ? undefined : `${name} is not for programs: ${reason}`;
}

/** What the tools give that are called in a scenario, in the order of the calls. */
export function outputsOf({ client, backend }: Scenario): string[] {
  const answerOf = (server: string, tool: string) =>
    client.mcpServers?.find(({ name }) => name === server)?.tools.find(({ name }) => name === tool)?.answer ??
    '';
  return backend
    .flatMap((reply) => (reply.reply === 'tool_calls' ? reply.calls : []))
    .map((call) => (call.call === 'mcp' ? answerOf(call.server, call.tool) : call.output));
}

/** The two ways in which a program takes its answers. */
const modes = [
  { mode: 'streamed', streams: true },
  { mode: 'whole', streams: false },
] as const;

/**
 * What is found in both modes; what is found in both of them at the same places is one finding. `together`: whether the
 * modes may be tried at the same time.
 */
export async function everyMode(
  together: boolean,
  find: (streams: boolean) => Promise<Finding[]>,
): Promise<Finding[]> {
  const inModes = await inParallel(modes, together ? modes.length : 1, async ({ mode, streams }) =>
    (await find(streams)).map((finding) => ({ mode, finding })),
  );
  const found = new Map<string, Finding>();
  for (const { mode, finding } of inModes.flat()) {
    const { comparison, kind, places } = finding;
    const key = JSON.stringify([comparison, kind, places]);
    const known = found.get(key);
    const own = places.map((place) => `${mode} › ${place}`);
    const all = [...(known?.places ?? []), ...own];
    found.set(key, { ...(known ?? finding), place: all[0] ?? finding.place, places: all });
  }
  return [...found.values()];
}
