import { codeOf, failedScenario } from '../diff/cause-code.ts';
import type { Finding } from '../diff/finding.ts';
import { anySpelling, type Cell, causeName } from '../diff/report-causes.ts';
import type { Verdict } from '../diff/verdict.ts';
import type { BaselineEntry, BaselineProblem, BaselineUse } from '../report/gate.ts';
import type { Report, ReportedScenario, Selection } from '../report/report.ts';
import { placeText } from '../report/values.ts';

/** An entry, or one of its scenarios or versions, that nothing matches any more. */
export type UnusedPart = {
  readonly entry: BaselineEntry;
  readonly part?: { readonly key: ListKey; readonly pattern: string };
};

/** The lists of an entry whose items are judged one by one. */
const listKeys = ['scenario', 'codex'] as const;
type ListKey = (typeof listKeys)[number];

/** What a run says about the entries of a baseline. */
export type AppliedBaseline = {
  /** The scenarios of the run; what is accepted is marked. */
  readonly scenarios: readonly ReportedScenario[];
  readonly unused: readonly UnusedPart[];
  readonly problems: readonly BaselineProblem[];
};

/** A run to which a baseline is applied. `today` is a date such as `2027-01-31`. */
export type BaselineRun = Pick<Report, 'driver' | 'scenarios'> & {
  readonly selection: Selection;
  readonly today: string;
};

/** Marks what a baseline accepts in a run, and finds what is wrong with the baseline. */
export function applyBaseline(
  { file, entries }: Pick<BaselineUse, 'file' | 'entries'>,
  run: BaselineRun,
): AppliedBaseline {
  const { driver, today } = run;
  const uses = new Map(entries.map((entry) => [entry, new EntryUse(entry)]));
  const reasonFor = (cell: Cell, matches: (entry: BaselineEntry) => boolean): string | undefined => {
    const matching = entries.filter((entry) => coversCell(entry, cell, driver) && matches(entry));
    for (const entry of matching) uses.get(entry)?.add(cell);
    return matching.find((entry) => !hasExpired(entry, today))?.reason;
  };
  const scenarios = run.scenarios.map((scenario) => {
    const findings = scenario.findings.map((finding) =>
      withReason(
        finding,
        reasonFor(scenario, (entry) => coversFinding(entry, finding)),
      ),
    );
    if (scenario.verdict.type !== 'failed') return { ...scenario, findings };
    const reason = reasonFor(scenario, ({ code }) => code === failedScenario);
    return { ...withFailure(scenario, reason), findings };
  });
  const unused = entries.flatMap((entry) => uses.get(entry)?.unusedParts({ ...run, scenarios }) ?? []);
  const expired = entries.filter((entry) => hasExpired(entry, today));
  return {
    scenarios,
    unused,
    problems: [
      ...expired.map(expiredProblem),
      ...unused.filter(({ entry }) => !expired.includes(entry)).map(unusedProblem),
    ]
      .sort((a, b) => a.line - b.line)
      .map((problem) => ({ ...problem, text: `${file}, line ${problem.line}: ${problem.text}` })),
  };
}

/** Which findings an entry matched. */
class EntryUse {
  readonly #entry: BaselineEntry;
  readonly #matched = new Set<string>();

  constructor(entry: BaselineEntry) {
    this.#entry = entry;
  }

  add(cell: Cell): void {
    for (const key of listKeys)
      for (const pattern of this.#entry[key] ?? ['*'])
        if (matchesText(pattern, cell[key])) this.#matched.add(`${key} ${pattern}`);
  }

  unusedParts(run: BaselineRun): UnusedPart[] {
    const entry = this.#entry;
    if (this.#matched.size === 0) return isJudged(entry, run) ? [{ entry }] : [];
    return listKeys.flatMap((key) =>
      (entry[key] ?? []).flatMap((pattern): UnusedPart[] => {
        if (this.#matched.has(`${key} ${pattern}`)) return [];
        return isJudged({ ...entry, [key]: [pattern] }, run) ? [{ entry, part: { key, pattern } }] : [];
      }),
    );
  }
}

/**
 * Whether a run can show that an entry is unused: it played all that the entry is about. What is accepted to fail there is left
 * out. A run of some scenarios only judges entries that name scenarios.
 */
function isJudged(entry: BaselineEntry, { driver, scenarios, selection }: BaselineRun): boolean {
  if (selection.coverage === 'part' || selection.shard !== undefined) return false;
  if (selection.coverage === 'scenarios' && !namesScenarios(entry, scenarios)) return false;
  const played = scenarios.filter((scenario) => coversCell(entry, scenario, driver)).map(wasPlayed);
  return played.includes('yes') && !played.includes('no');
}

/** Whether a scenario got far enough to show what is wrong in it; `left out` if it is accepted that it does not. */
function wasPlayed({ verdict, findings }: ReportedScenario): 'yes' | 'no' | 'left out' {
  if (verdict.type === 'not checked') return 'left out';
  if (verdict.type === 'failed') return verdict.accepted === undefined ? 'no' : 'left out';
  const setup = findings.filter((finding) => codeOf(finding).startsWith('setup/'));
  if (setup.length === 0) return 'yes';
  return setup.some(({ accepted }) => accepted === undefined) ? 'no' : 'left out';
}

/** Whether an entry names all its scenarios, and all of them were selected. */
function namesScenarios(
  { scenario: patterns = ['*'] }: BaselineEntry,
  all: BaselineRun['scenarios'],
): boolean {
  return patterns.every((pattern) => all.some(({ scenario }) => scenario === pattern));
}

export function hasExpired({ until }: BaselineEntry, today: string): boolean {
  return until !== undefined && until < today;
}

/** Whether an entry is about a scenario. */
export function coversCell(
  { scenario = ['*'], except = [], codex = ['*'], lane = ['chatgpt'], driver = ['replay'] }: BaselineEntry,
  cell: Cell,
  runDriver: string,
): boolean {
  return (
    scenario.some((pattern) => matchesText(pattern, cell.scenario)) &&
    !except.some((pattern) => matchesText(pattern, cell.scenario)) &&
    codex.some((pattern) => matchesText(pattern, cell.codex)) &&
    lane.includes(cell.lane) &&
    driver.includes(runDriver)
  );
}

/** Whether an entry is about a finding. */
export function coversFinding({ code, name, place }: BaselineEntry, finding: Finding): boolean {
  if (code !== codeOf(finding)) return false;
  if (name !== undefined && !matchesText(anySpelling(name), anySpelling(causeName(finding)))) return false;
  return place === undefined || finding.places.every((at) => matchesText(place, placeText(at)));
}

/** Whether a text matches a pattern, in which `*` stands for any text. */
function matchesText(pattern: string, text: string): boolean {
  const [start = '', ...rest] = pattern.split('*');
  const end = rest.pop();
  if (end === undefined) return text === pattern;
  if (!text.startsWith(start) || !text.endsWith(end) || text.length < start.length + end.length) return false;
  let at = start.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= text.length - end.length;
}

function withReason({ accepted: _, ...finding }: Finding, reason: string | undefined): Finding {
  return reason === undefined ? finding : { ...finding, accepted: reason };
}

function withFailure(scenario: ReportedScenario, reason: string | undefined): ReportedScenario {
  const mark = (verdict: Verdict): Verdict => {
    if (verdict.type !== 'failed') return verdict;
    const { accepted: _, ...failure } = verdict;
    return reason === undefined ? failure : { ...failure, accepted: reason };
  };
  const { parity, ...neutrality } = scenario.comparisons;
  const marked = Object.entries(neutrality).map(([comparison, verdict]) => [comparison, mark(verdict)]);
  return {
    ...scenario,
    verdict: mark(scenario.verdict),
    comparisons: { parity: mark(parity), ...Object.fromEntries(marked) },
  };
}

function expiredProblem(entry: BaselineEntry): BaselineProblem {
  return {
    line: entry.line,
    type: 'expired',
    text: `${titleOfEntry(entry)} was accepted until ${entry.until}: fix it, or move the date`,
  };
}

function unusedProblem({ entry, part }: UnusedPart): BaselineProblem {
  const text =
    part === undefined
      ? `${titleOfEntry(entry)} does not occur any more: remove the entry, or run check --update-baseline`
      : `${titleOfEntry(entry)} does not occur any more with ${part.key} ${part.pattern}: remove that, or run check --update-baseline`;
  return { line: entry.line, type: 'unused', text };
}

function titleOfEntry({ code, name }: BaselineEntry): string {
  return name === undefined ? code : `${code} ${name}`;
}
