import { comparisons } from '../diff/comparison.ts';
import { type Finding, isOf } from '../diff/finding.ts';
import { type Cause, reportCauses } from '../diff/report-causes.ts';
import type { CauseData, ConversationData, FindingData, PageData, TrafficData } from '../ui/model.ts';
import { type CauseWords, causeWriter } from './cause-words.ts';
import { count } from './count.ts';
import { versionSkew, versionsText } from './first-screen.ts';
import { counts, notCounted, strictGate } from './gate.ts';
import {
  clientNotes,
  hasParity,
  passes,
  type Report,
  type ReportedScenario,
  titlesText,
  unfinishedGroups,
} from './report.ts';
import { SharedTexts } from './shared-texts.ts';
import { wordsOf } from './text.ts';
import { trafficVariant } from './traffic-data.ts';

/** The data of a page, and the traffic of its conversations by their index. */
export type ReportPage = {
  readonly page: PageData;
  readonly traffic: ReadonlyMap<number, TrafficData>;
};

/** The most that the traffic of one scenario, and of all, adds to a page, in characters. */
const mostOfScenario = 8_000_000;
const mostOfAll = 32_000_000;

export function reportPage(report: Report): ReportPage {
  const { subject, driver, scenarios, gate = strictGate } = report;
  const all = reportCauses(scenarios);
  const isCounted = ({ cells }: Cause) =>
    cells.some(({ findings }) => findings.some((finding) => counts(finding, gate)));
  // What does not count comes last.
  const counted = all.filter(isCounted);
  const causes = [...counted, ...all.filter((cause) => !isCounted(cause))];
  const texts = new SharedTexts();
  const traffic = trafficOf(scenarios, causes, texts);
  const lanes = [...new Set(scenarios.map(({ lane }) => lane))];
  const write = causeWriter(report);
  const skew = versionSkew(report);
  const page: PageData = {
    title: subject,
    ok: passes(report),
    headline: headline(report, counted),
    facts: [
      count(scenarios.length, 'scenario'),
      `codex ${versionsText(scenarios.map(({ codex }) => codex))}`,
      `lane ${lanes.join(', ')}`,
      `driver ${driver}`,
      ...notCounted(scenarios, gate),
    ],
    causes: causes.map((cause) => causeData(cause, write(cause), scenarios)),
    conversations: scenarios.map((scenario, index) =>
      conversationData(scenario, causes, lanes.length > 1, traffic.has(index)),
    ),
    notes: [
      ...(skew === undefined ? [] : [{ kind: 'note', text: `the subject ${skew}` } as const]),
      ...unfinishedGroups(report).map((group) => ({
        kind: group.verdict.type,
        text: `${titlesText(group)}: ${group.verdict.reason}`,
      })),
      ...(gate.baseline?.problems ?? []).map(({ text }) => ({ kind: 'failed', text }) as const),
      ...clientNotes(report).map((text) => ({ kind: 'note', text }) as const),
    ],
    shared: texts.table,
  };
  return { page, traffic };
}

/** The result in one sentence. */
function headline(report: Report, causes: readonly Cause[]): string {
  const { scenarios } = report;
  const number = (type: string) => scenarios.filter(({ verdict }) => verdict.type === type).length;
  const [failed, unchecked] = [number('failed'), number('not checked')];
  const checked = scenarios.length - unchecked;
  const total = count(checked, 'scenario');
  const shown = new Set(causes.flatMap(({ cells }) => cells.map(cellKey))).size;
  const where = shown === checked ? (checked < 3 ? total : `all ${total}`) : `${shown} of ${total}`;
  const parts = [
    ...(causes.length === 0 ? [] : [`${count(causes.length, 'cause')} in ${where}`]),
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(unchecked === 0 ? [] : [`${unchecked} not checked`]),
  ];
  if (!passes(report)) return `No parity: ${parts.join(', ')}`;
  const result = hasParity(report) ? 'Parity' : 'Nothing that counts';
  return [`${result} in ${total}`, ...parts].join(', ');
}

function cellKey({ codex, lane, scenario }: Pick<ReportedScenario, 'codex' | 'lane' | 'scenario'>): string {
  return `${codex}/${lane}/${scenario}`;
}

function causeData(cause: Cause, words: CauseWords, scenarios: readonly ReportedScenario[]): CauseData {
  const { code, severity, name, comparisons: shownBy, example, cells, accepted } = cause;
  const own = new Set(cells.map(cellKey));
  return {
    ...words,
    id: name === '' ? code : `${code}/${name}`,
    code,
    level: severity,
    ...('order' in example ? { orders: example.order } : {}),
    ...(accepted === undefined ? {} : { accepted }),
    comparisons: shownBy,
    conversations: scenarios.flatMap((scenario, index) => (own.has(cellKey(scenario)) ? [index] : [])),
  };
}

function conversationData(
  scenario: ReportedScenario,
  causes: readonly Cause[],
  hasLanes: boolean,
  traffic: boolean,
): ConversationData {
  const { codex, lane, findings, verdict } = scenario;
  const causeOf = new Map(
    causes.flatMap(({ cells }, index) =>
      cells.flatMap((cell) => cell.findings.map((finding): [Finding, number] => [finding, index])),
    ),
  );
  return {
    id: cellKey(scenario),
    group: hasLanes ? `${codex} ${lane}` : codex,
    name: scenario.scenario,
    verdict,
    comparisons: comparisons.flatMap((name) => {
      const verdict = scenario.comparisons[name];
      return verdict === undefined ? [] : [{ name, verdict }];
    }),
    findings: findings.map((finding): FindingData => {
      const { places, expected, actual } = wordsOf(finding);
      return {
        cause: causeOf.get(finding) ?? 0,
        comparisons: comparisons.filter((comparison) => isOf(comparison, finding)),
        ...{ places, expected, actual },
      };
    }),
    files: (scenario.traces ?? []).flatMap(({ client, upstream }) =>
      client === undefined ? [upstream] : [client, upstream],
    ),
    traffic,
  };
}

/**
 * The traffic of scenarios, as much as a page can have: first of one scenario for each cause, then of the others in
 * order.
 */
function trafficOf(
  scenarios: readonly ReportedScenario[],
  causes: readonly Cause[],
  texts: SharedTexts,
): Map<number, TrafficData> {
  const position = new Map(scenarios.map((scenario, index) => [cellKey(scenario), index]));
  const examples = causes.flatMap(
    ({ cells }) => position.get(cells[0] === undefined ? '' : cellKey(cells[0])) ?? [],
  );
  const traffic = new Map<number, TrafficData>();
  let left = mostOfAll;
  for (const index of new Set([...examples, ...scenarios.keys()])) {
    const { traffic: kept = [], findings = [] } = scenarios[index] ?? {};
    if (kept.length === 0 || left <= 0) continue;
    const before = texts.size;
    const data = { variants: kept.map((one) => trafficVariant(one, findings, texts)) };
    const size = JSON.stringify(data).length + texts.size - before;
    left -= size;
    if (size <= mostOfScenario && left >= 0) traffic.set(index, data);
  }
  return traffic;
}
