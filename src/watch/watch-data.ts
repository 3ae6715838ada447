import type { Finding } from '../diff/finding.ts';
import { reportCauses } from '../diff/report-causes.ts';
import { verdictOf } from '../diff/verdict.ts';
import type { Golden } from '../golden/golden.ts';
import { causeWriter } from '../report/cause-words.ts';
import { liveVariant } from '../report/live-traffic.ts';
import { reportPage } from '../report/page-data.ts';
import { type ReportedScenario, titleOf } from '../report/report.ts';
import { SharedTexts } from '../report/shared-texts.ts';
import type {
  GoldenVerdictData,
  SessionData,
  SessionFinding,
  TurnData,
  TurnPage,
} from '../ui/watch-model.ts';
import type { Analysis, LaterFindings, WatchedSession } from './analysis.ts';
import { pointedLanes } from './golden-choice.ts';
import type { JudgedTurn, SeenSession } from './judged-turn.ts';
import type { GoldenVerdict } from './session-start.ts';
import { noteWords, turnParts, turnTitle } from './turn-words.ts';

/** A session as the page shows it. */
export function sessionData({
  session,
  golden,
  firstTurn,
  later,
  turns,
  earlier,
  notes,
}: WatchedSession): SessionData {
  return {
    number: session.number,
    id: session.id ?? '',
    client: clientText(session),
    golden: { ...goldenData(golden, later), ...(firstTurn === undefined ? {} : { turn: firstTurn }) },
    turns: turns.map(turnData),
    earlier,
    notes: notes.map(({ note, after }) => ({ after, ...noteWords(note) })),
  };
}

/** The client of a session and its version. */
export function clientText({ client = 'a client without a name', version }: SeenSession): string {
  return version === undefined ? client : `${client} ${version}`;
}

function turnData(turn: JudgedTurn): TurnData {
  const { id, model = '', effort, tokens, firstToken, duration, ending } = turn;
  return {
    ...{ id, title: turnTitle(turn), parts: turnParts(turn), running: ending.type === 'running' },
    model: effort === undefined ? model : `${model} ${effort}`,
    ...(tokens === undefined ? {} : { tokens }),
    ...(firstToken === undefined ? {} : { firstToken }),
    ...(duration === undefined ? {} : { duration }),
  };
}

/** How a session compares with a golden, in words: its start, and what later turns have more. */
export function goldenData(verdict: GoldenVerdict, later: readonly LaterFindings[] = []): GoldenVerdictData {
  switch (verdict.type) {
    case 'pending':
      return { type: 'pending', text: 'the first turn is not over', findings: [] };
    case 'not compared':
      return { type: 'not compared', text: verdict.reason, findings: [] };
    case 'compared': {
      const findings = [
        ...findingsData(verdict.golden, verdict.findings),
        ...later.flatMap((one) => laterData(verdict.golden, one)),
      ];
      const type = findings.length === 0 ? 'parity' : 'findings';
      const pointed = pointedLanes.includes(verdict.golden.lane)
        ? ', as a client that is pointed at a proxy'
        : '';
      return { type, text: `${goldenName(verdict.golden)}${pointed}`, findings };
    }
  }
}

/** The name of a golden, without the usual lane. */
export function goldenName({ codex, lane, scenario }: Golden): string {
  return [codex, ...(lane === 'chatgpt' ? [] : [lane]), scenario].join('/');
}

/** What a turn has beside the golden, and no turn before it had. */
export function laterData(golden: Golden, { turn, findings }: LaterFindings): SessionFinding[] {
  const place = { id: turn.id, title: turnTitle(turn) };
  return findingsData(golden, findings).map((finding) => ({ ...finding, turn: place }));
}

function findingsData(golden: Golden, findings: readonly Finding[]): SessionFinding[] {
  const scenario = scenarioOf(golden, findings);
  const write = causeWriter({ scenarios: [scenario] });
  return reportCauses([scenario]).map((cause) => {
    const { title, effect } = write(cause);
    return { code: cause.code, level: cause.severity, title, effect };
  });
}

/** The start of a session, as a report has a scenario. */
function scenarioOf(
  { codex, lane, scenario }: Pick<ReportedScenario, 'codex' | 'lane' | 'scenario'>,
  findings: readonly Finding[],
): ReportedScenario {
  return { codex, lane, scenario, ...verdictOf(findings, {}) };
}

/** The page of a turn: its frames beside the golden and beside the turn before. Undefined if they are not kept. */
export function turnPage(analysis: Analysis, id: number): TurnPage | undefined {
  const frames = analysis.framesOf(id);
  const watched = analysis.sessions().find(({ turns }) => turns.some((turn) => turn.id === id));
  const turn = watched?.turns.find((one) => one.id === id);
  if (frames === undefined || watched === undefined || turn === undefined) return undefined;
  const { golden, firstTurn, later, turns } = watched;
  const exchanges = analysis.comparedExchanges(watched, id);
  const start =
    golden.type !== 'compared' || exchanges === undefined
      ? undefined
      : {
          golden: golden.golden,
          exchanges,
          findings:
            firstTurn === id ? golden.findings : (later.find((one) => one.turn.id === id)?.findings ?? []),
        };
  const earlier = turns.find((one) => one.id === frames.before);
  const before = frames.before === undefined ? undefined : analysis.framesOf(frames.before);
  const texts = new SharedTexts();
  const variant = liveVariant(
    {
      start,
      turn: { name: turnTitle(turn), exchanges: frames.exchanges },
      before:
        before === undefined || earlier === undefined
          ? undefined
          : { name: turnTitle(earlier), exchanges: before.exchanges },
    },
    texts,
  );
  const about = start?.golden ?? { codex: '', lane: 'chatgpt', scenario: '' };
  const scenario = scenarioOf(about, start?.findings ?? []);
  const { page } = reportPage({ subject: titleOf(scenario), driver: '', scenarios: [scenario] });
  const [conversation] = page.conversations;
  return {
    page: {
      ...page,
      conversations: conversation === undefined ? [] : [{ ...conversation, traffic: true }],
      shared: texts.table,
      notes: frames.omitted === 0 ? [] : [{ kind: 'note', text: `${frames.omitted} frames are not kept` }],
    },
    traffic: { variants: [variant] },
  };
}
