import { Document, isMap, isSeq, type YAMLMap, type YAMLSeq } from 'yaml';
import { codeOf, failedScenario } from '../diff/cause-code.ts';
import type { Finding } from '../diff/finding.ts';
import { causeKey, causeName } from '../diff/report-causes.ts';
import { severities, severityOfCode } from '../diff/severity.ts';
import { type BaselineEntry, counts, fails, type Gate } from '../report/gate.ts';
import type { ReportedScenario } from '../report/report.ts';
import {
  type AppliedBaseline,
  type BaselineRun,
  coversCell,
  coversFinding,
  hasExpired,
} from './apply-baseline.ts';
import type { Baseline } from './baseline-file.ts';

/** An entry to add. */
type NewEntry = Omit<BaselineEntry, 'line'>;

/** A run, and what its baseline says about it. */
export type UpdateInput = {
  readonly subject: string;
  /** The baseline that there is. */
  readonly baseline: Baseline | undefined;
  readonly applied: AppliedBaseline;
  readonly run: BaselineRun;
  readonly failOn: Gate['failOn'];
  /** Path of the JSON schema, for the editor; a new file names it. */
  readonly schema?: string | undefined;
};

export type BaselineUpdate = {
  /** The text of the new file. */
  readonly text: string;
  readonly added: number;
  readonly removed: number;
  /** The codes that are not accepted because every scenario shows them: the subject is not set up. */
  readonly refused: readonly string[];
};

/**
 * Writes a baseline that accepts what counts in a run. Entries that match keep their text, with reason, date and comments;
 * those that are unused are removed.
 */
export function updateBaseline(input: UpdateInput): BaselineUpdate {
  const { baseline, applied } = input;
  const document = baseline?.document.clone() ?? newDocument(input);
  if (document.contents === null) document.contents = document.createNode({});
  const list = listIn(document);
  const gone = applied.unused.filter(({ part }) => part === undefined).map(({ entry }) => entry);
  const nodes = (baseline?.entries ?? []).map((entry, index) => [entry, list.items[index]] as const);
  for (const { entry, part } of applied.unused) {
    const node = nodes.find(([own]) => own === entry)?.[1];
    if (part !== undefined && isMap(node)) removeItem(node, part.key, part.pattern);
  }
  list.items = nodes.flatMap(([entry, node]) => (gone.includes(entry) ? [] : [node]));
  const { entries, refused } = newEntries(input);
  for (const entry of entries) list.items.push(entryNode(document, entry));
  if (list.items.length > 0) list.flow = false;
  return {
    text: document.toString({ lineWidth: 100, flowCollectionPadding: false }),
    added: entries.length,
    removed: gone.length,
    refused,
  };
}

function newDocument({ subject, schema }: UpdateInput): Document {
  const document = new Document({ subject, accepted: [] });
  if (schema !== undefined) document.commentBefore = ` yaml-language-server: $schema=${schema}`;
  return document;
}

/** The list of accepted causes; it is created if there is none. */
function listIn(document: Document): YAMLSeq {
  const list = document.get('accepted', true);
  if (isSeq(list)) return list;
  const created = document.createNode([]);
  document.set('accepted', created);
  return created;
}

function removeItem(node: YAMLMap, key: string, value: string): void {
  const list = node.get(key, true);
  if (isSeq(list)) list.items = list.items.filter((item) => String(item) !== value);
}

/** The longest list in one line. */
const longestList = 80;

function entryNode(document: Document, entry: NewEntry) {
  const short = (list: readonly string[] | undefined) => (list?.length === 1 ? list[0] : list);
  const { scenario, except, codex, lane, driver, ...rest } = entry;
  const node = document.createNode({
    ...{ code: rest.code, name: rest.name },
    ...{
      scenario: short(scenario),
      except: short(except),
      codex: short(codex),
      lane: short(lane),
      driver: short(driver),
    },
    reason: rest.reason,
  });
  if (isMap(node)) {
    node.items = node.items.filter(({ value }) => value !== null);
    // A longer list has one line for each item.
    for (const { value } of node.items) if (isSeq(value)) value.flow = String(value).length < longestList;
  }
  return node;
}

/** A cause, and the scenarios that show it. */
type ShownCause = Pick<NewEntry, 'code' | 'name'> & { readonly cells: Set<ReportedScenario> };

function newEntries({ applied, baseline, run, failOn }: UpdateInput) {
  const expired = (baseline?.entries ?? []).filter((entry) => hasExpired(entry, run.today));
  const shown = shownCauses(applied.scenarios, failOn, (scenario, finding) =>
    expired.some((entry) => coversCell(entry, scenario, run.driver) && coversFinding(entry, finding)),
  );
  const checked = run.scenarios.filter(({ verdict }) => verdict.type !== 'not checked').length;
  const isSetup = ({ code, cells }: ShownCause) =>
    (code.startsWith('setup/') || code === failedScenario) && cells.size === checked;
  const refused = shown.filter(isSetup);
  return {
    refused: [...new Set(refused.map(({ code }) => code))],
    entries: shown
      .filter((cause) => !refused.includes(cause))
      .sort((a, b) => rankOf(a) - rankOf(b) || b.cells.size - a.cells.size)
      .flatMap(({ cells, ...cause }) =>
        selectorsFor(cells, run).map(
          (selectors): NewEntry => ({
            ...cause,
            ...selectors,
            reason: `accepted on ${run.today}; say why`,
          }),
        ),
      ),
  };
}

/** As in reports, the most harmful come first. */
function rankOf({ code }: ShownCause): number {
  return code === failedScenario ? 0 : severities.indexOf(severityOfCode(code));
}

/** What counts in a run, by cause; without what an expired entry is about, which keeps its entry. */
function shownCauses(
  scenarios: readonly ReportedScenario[],
  failOn: Gate['failOn'],
  hasEntry: (scenario: ReportedScenario, finding: Finding) => boolean,
): ShownCause[] {
  const causes = new Map<string, ShownCause>();
  const add = (key: string, cause: Omit<ShownCause, 'cells'>, scenario: ReportedScenario) => {
    const known = causes.get(key) ?? { ...cause, cells: new Set() };
    causes.set(key, known);
    known.cells.add(scenario);
  };
  for (const scenario of scenarios) {
    for (const finding of scenario.findings) {
      if (!counts(finding, { failOn }) || hasEntry(scenario, finding)) continue;
      const name = causeName(finding);
      add(causeKey(finding), { code: codeOf(finding), ...(name === '' ? {} : { name }) }, scenario);
    }
    if (fails({ ...scenario, findings: [] }, { failOn }))
      add(failedScenario, { code: failedScenario }, scenario);
  }
  return [...causes.values()];
}

type Selectors = Pick<NewEntry, 'scenario' | 'except' | 'codex' | 'lane' | 'driver'>;

/** The selectors of entries that cover exactly these scenarios of a run. */
function selectorsFor(cells: ReadonlySet<ReportedScenario>, run: BaselineRun): Selectors[] {
  const { driver, selection } = run;
  const ofDriver = driver === 'replay' ? {} : { driver: [driver] };
  // Otherwise there are scenarios that the run does not know about.
  const isWhole = selection.coverage === 'all' && selection.shard === undefined;
  return [...Map.groupBy(cells, ({ lane }) => lane)].flatMap(([lane, shown]) => {
    const checked = run.scenarios.filter(
      (scenario) => scenario.lane === lane && scenario.verdict.type !== 'not checked',
    );
    const ofLane = lane === 'chatgpt' ? {} : { lane: [lane] };
    return groupsOf(shown, checked).map(({ versions, scenarios }): Selectors => {
      const isEverywhere = checked.every(
        ({ codex, scenario }) => versions.includes(codex) || !scenarios.includes(scenario),
      );
      const others = checked
        .filter(({ codex }) => isEverywhere || versions.includes(codex))
        .flatMap(({ scenario }) => (scenarios.includes(scenario) ? [] : [scenario]));
      return {
        ...(isWhole ? allBut(new Set(others), scenarios) : { scenario: scenarios }),
        ...(isEverywhere ? {} : { codex: versions }),
        ...ofLane,
        ...ofDriver,
      };
    });
  });
}

/** Selects scenarios by those that are left out, if these are much fewer. */
function allBut(others: ReadonlySet<string>, scenarios: readonly string[]): Selectors {
  if (others.size === 0) return {};
  return others.size * 2 <= scenarios.length ? { except: [...others].sort() } : { scenario: scenarios };
}

type VersionGroup = { readonly versions: readonly string[]; readonly scenarios: readonly string[] };

/** Groups of versions and scenarios that together cover what is shown, and nothing else that was checked. */
function groupsOf(shown: readonly ReportedScenario[], checked: readonly ReportedScenario[]): VersionGroup[] {
  const versions = [...new Set(shown.map(({ codex }) => codex))];
  const scenarios = [...new Set(shown.map(({ scenario }) => scenario))].sort();
  const covered = checked.filter(
    ({ codex, scenario }) => versions.includes(codex) && scenarios.includes(scenario),
  );
  if (covered.length === shown.length) return [{ versions, scenarios }];
  const byVersion = Map.groupBy(shown, ({ codex }) => codex);
  const sets = [...byVersion].map(([codex, own]) => ({
    codex,
    scenarios: own.map(({ scenario }) => scenario).sort(),
  }));
  return [...Map.groupBy(sets, (set) => JSON.stringify(set.scenarios)).values()].map((group) => ({
    versions: group.map(({ codex }) => codex),
    scenarios: group[0]?.scenarios ?? [],
  }));
}
