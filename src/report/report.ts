import { comparisons } from '../diff/comparison.ts';
import type { ScenarioTransport } from '../diff/fold.ts';
import type { KeptTraffic } from '../diff/kept-traffic.ts';
import type { NoVerdict, ScenarioVerdict } from '../diff/verdict.ts';
import { fails, type Gate, strictGate } from './gate.ts';

/** The results of a check: the subject, and what came out of each scenario. */
export type Report = {
  readonly subject: string;
  readonly driver: string;
  readonly scenarios: readonly ReportedScenario[];
  /** What of them was selected; everything unless given. */
  readonly selection?: Selection;
  /** What counts for the exit code; everything unless given. */
  readonly gate?: Gate;
};

/** Which of the scenarios that have goldens a run was to play. */
export type Selection = {
  /** All of the selected versions and lane; all versions of the named scenarios; or fewer. */
  readonly coverage: 'all' | 'scenarios' | 'part';
  /** The part of the selection that the run played, such as `2/4`. */
  readonly shard?: string;
};

export type ReportedScenario = ScenarioVerdict & {
  readonly codex: string;
  readonly lane: string;
  readonly scenario: string;
  /** When it was played, in milliseconds since 1970, and how many milliseconds it took. */
  readonly started?: number;
  readonly duration?: number;
  /** How the official client speaks in the scenario. */
  readonly transport?: ScenarioTransport;
  /** What a reader can look at where something was found. */
  readonly traffic?: readonly KeptTraffic[];
};

/** The title of a scenario: version, lane unless it is `chatgpt`, name. */
export function titleOf({
  codex,
  lane,
  scenario,
}: Pick<ReportedScenario, 'codex' | 'lane' | 'scenario'>): string {
  return [codex, ...(lane === 'chatgpt' ? [] : [lane]), scenario].join(' ');
}

/** Whether nothing was found, and no scenario failed. */
export function hasParity({ scenarios }: Report): boolean {
  return scenarios.every(({ verdict }) => verdict.type === 'ok' || verdict.type === 'not checked');
}

/** Whether nothing counts for the exit code: no finding, no failed scenario, and nothing is wrong with the baseline. */
export function passes({ scenarios, gate = strictGate }: Report): boolean {
  if (gate.baseline !== undefined && gate.baseline.problems.length > 0) return false;
  return !scenarios.some((scenario) => fails(scenario, gate));
}

/** What was not checked or failed for one reason: scenarios by their titles, or comparisons in them. */
export type UnfinishedGroup = { readonly titles: readonly string[]; readonly verdict: NoVerdict };

/** Everything without a verdict, by its reason. */
export function unfinishedGroups({ scenarios }: Report): UnfinishedGroup[] {
  const all = scenarios.flatMap((scenario): UnfinishedGroup[] => {
    const title = titleOf(scenario);
    const { verdict } = scenario;
    if (verdict.type === 'failed' || verdict.type === 'not checked') return [{ titles: [title], verdict }];
    const unfinished = comparisons.flatMap((comparison) => {
      const own = scenario.comparisons[comparison];
      return own?.type === 'failed' || own?.type === 'not checked' ? [{ comparison, verdict: own }] : [];
    });
    const reasons = Map.groupBy(unfinished, ({ verdict }) => JSON.stringify(verdict));
    return [...reasons.values()].flatMap((group) =>
      group[0] === undefined
        ? []
        : [
            {
              titles: [`${title} (${group.map(({ comparison }) => comparison).join(', ')})`],
              verdict: group[0].verdict,
            },
          ],
    );
  });
  const groups = Map.groupBy(all, ({ verdict }) => JSON.stringify(verdict));
  return [...groups.values()].flatMap(([first, ...others]) =>
    first === undefined ? [] : [{ ...first, titles: [first, ...others].flatMap(({ titles }) => titles) }],
  );
}

/** What the client itself sent differently, by scenarios in which it is the same. */
export function clientNotes({ scenarios }: Report): string[] {
  const own = scenarios.filter(({ client }) => client !== undefined);
  const groups = Map.groupBy(own, ({ client }) => JSON.stringify(client));
  return [...groups.values()].flatMap((group) => {
    const client = group[0]?.client;
    if (client === undefined) return [];
    const cause =
      client.model === undefined
        ? 'the client itself differs from the golden'
        : `your /models made the client speak as ${client.model}`;
    const number = client.count === 1 ? '1 difference is' : `${client.count} differences are`;
    const titles = titlesText({ titles: group.map(titleOf) });
    return [`${titles}: ${cause}: ${number} its own, and parity is judged on the rest`];
  });
}

/** How many titles of a group are shown. */
const mostTitles = 3;

/** The titles of a group as text: the first few, and how many more there are. */
export function titlesText({ titles }: Pick<UnfinishedGroup, 'titles'>): string {
  const more = titles.length - mostTitles;
  return [...titles.slice(0, mostTitles), ...(more > 0 ? [`${more} more`] : [])].join(', ');
}
