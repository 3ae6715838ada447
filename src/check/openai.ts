import type { Finding } from '../diff/finding.ts';
import type { Scenario } from '../scenario/definition.ts';

/** The scenarios that no program plays with the library of OpenAI, and why. */
const leftOut: ReadonlyMap<string, string> = new Map([]);

/** Why a scenario is left out where the client is the library of OpenAI; undefined where it is played. */
export function cannotAsk(scenario: string): string | undefined {
  return leftOut.get(scenario);
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

/** What is found in both modes; what is found in both of them at the same places is one finding. */
export async function everyMode(find: (streams: boolean) => Promise<Finding[]>): Promise<Finding[]> {
  const found = new Map<string, Finding>();
  for (const { mode, streams } of modes) {
    for (const finding of await find(streams)) {
      const { comparison, kind, places } = finding;
      const key = JSON.stringify([comparison, kind, places]);
      const known = found.get(key);
      const own = places.map((place) => `${mode} › ${place}`);
      const all = [...(known?.places ?? []), ...own];
      found.set(key, { ...(known ?? finding), place: all[0] ?? finding.place, places: all });
    }
  }
  return [...found.values()];
}
