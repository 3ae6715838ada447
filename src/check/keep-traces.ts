import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { KeptTraces, ScenarioVerdict } from '../diff/verdict.ts';
import { plainReason } from '../errors.ts';
import type { GoldenId } from '../golden/golden.ts';
import { createTrace } from '../trace/trace.ts';
import type { TraceEvent } from '../trace/trace-event.ts';

/** What the taps on both sides of a subject recorded while a scenario was played once. */
export type RecordedTraffic = {
  /** How OpenAI's library read the responses, if it played the client. */
  readonly mode?: 'streamed' | 'whole';
  /** Between client and subject. Absent where the subject is the client. */
  readonly client?: readonly TraceEvent[];
  /** Between subject and backend. */
  readonly upstream: readonly TraceEvent[];
};

/** A scenario, and what came out of it. */
type PlayedScenario = GoldenId & ScenarioVerdict;

/** Which scenarios keep their traces, and where. */
export type TraceKeeping = {
  readonly folder: string;
  readonly isKept: (result: PlayedScenario) => boolean;
  /** Receives one line for each scenario whose traces cannot be written. The check does not depend on them. */
  readonly onProblem: (line: string) => void;
};

/**
 * Writes the traces of a scenario, if it keeps them, to `FOLDER/VERSION/LANE/SCENARIO.SIDE.trace.jsonl`. Removes those of
 * earlier runs.
 */
export function keepTraces(
  result: PlayedScenario,
  recorded: readonly RecordedTraffic[],
  { folder, isKept, onProblem }: TraceKeeping,
): KeptTraces[] {
  const kept = isKept(result);
  try {
    return recorded.flatMap((traffic) => {
      const files = filesOf(folder, result, traffic);
      for (const file of Object.values(files)) rmSync(file, { force: true });
      if (!kept) return [];
      const { mode, client, upstream } = traffic;
      if (client !== undefined) writeTrace(files.client, result, client);
      writeTrace(files.upstream, result, upstream);
      return [
        {
          ...(mode === undefined ? {} : { mode }),
          ...(client === undefined ? {} : { client: files.client }),
          upstream: files.upstream,
        },
      ];
    });
  } catch (error) {
    onProblem(`the traces of ${result.codex} ${result.scenario} are not kept: ${plainReason(error)}`);
    return [];
  }
}

function filesOf(folder: string, { codex, lane, scenario }: GoldenId, { mode }: RecordedTraffic) {
  const start = join(folder, codex, lane, mode === undefined ? scenario : `${scenario}.${mode}`);
  return { client: `${start}.client.trace.jsonl`, upstream: `${start}.upstream.trace.jsonl` };
}

function writeTrace(path: string, { codex, lane, scenario }: GoldenId, events: readonly TraceEvent[]): void {
  const trace = createTrace(path, { recorded: 'check', codex, lane, scenario });
  for (const event of events) trace.write(event);
  trace.finish();
}
