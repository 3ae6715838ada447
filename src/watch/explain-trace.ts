import { count } from '../report/count.ts';
import type { Screen } from '../report/first-screen.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { Analysis } from './analysis.ts';
import type { GoldenChoice } from './golden-choice.ts';
import { sessionData } from './watch-data.ts';
import { WatchLines } from './watch-lines.ts';

/** The verdicts of a recorded session. */
type TraceExplanation = {
  /** The lines that a live view would have printed, each with the reasons for what is wrong in it. */
  readonly lines: readonly string[];
  readonly sessions: number;
  readonly turns: number;
  /** How many verdicts, notes and causes are wrong. */
  readonly wrong: number;
};

/** Judges the turns of a trace, as `watch` judges them while they happen. */
export function explainTrace(
  events: Iterable<TraceEvent>,
  goldens: GoldenChoice,
  screen: Screen,
): TraceExplanation {
  const analysis = new Analysis(goldens);
  const view = new WatchLines(screen, { explains: true });
  const lines: string[] = [];
  let [turns, wrong] = [0, 0];
  const take = (updates: ReturnType<Analysis['add']>) => {
    for (const update of updates) {
      lines.push(...view.linesOf(update));
      if (update.type === 'turn' && update.isOver) turns += 1;
    }
  };
  for (const event of events) take(analysis.add(event));
  take(analysis.finish());
  const sessions = analysis.sessions().map(sessionData);
  for (const { golden, notes, turns: own } of sessions) {
    const marked = [...notes, ...own.flatMap(({ parts }) => parts)];
    wrong += golden.findings.length + marked.filter(({ mark }) => mark === 'wrong').length;
  }
  return { lines, sessions: sessions.length, turns, wrong };
}

/** The result in one line. */
export function explanationSummary({ sessions, turns, wrong }: TraceExplanation): string {
  const about = `${count(turns, 'turn')} in ${count(sessions, 'session')}`;
  return wrong === 0
    ? `nothing wrong in ${about}`
    : `${wrong === 1 ? '1 thing' : `${wrong} things`} wrong in ${about}`;
}
