import { useMemo, useState } from 'preact/hooks';
import { type CauseData, type ConversationData, type Level, levels, type PageData } from './model.ts';
import { type CauseFilter, type OverviewRoute, routeLink } from './route.ts';
import { VerdictMark } from './verdict-mark.tsx';

type OverviewProps = {
  readonly page: PageData;
  readonly route: OverviewRoute;
  readonly go: (route: OverviewRoute, replace?: boolean) => void;
};

/** The first screen: what is wrong, the most harmful first, and in which conversations. */
export function Overview({ page, route, go }: OverviewProps) {
  const { filter } = route;
  const causes = page.causes.filter((cause) => isShown(cause, filter));
  const opened = causes.filter(({ id }) => id === route.cause);
  const change = (next: CauseFilter) => go({ page: 'overview', filter: next }, true);
  const isFiltered = filter.level !== undefined || filter.text !== '';
  return (
    <main class="overview">
      <header class="summary">
        <h1>{page.title}</h1>
        <p class={page.ok ? 'headline ok' : 'headline'}>{page.headline}</p>
        <p class="facts">{page.facts.join(' · ')}</p>
      </header>
      {page.notes.length === 0 ? null : (
        <ul class="notes">
          {page.notes.map(({ kind, text }) => (
            <li key={text} class={kind.replace(' ', '-')}>
              <b>{kind}</b> {text}
            </li>
          ))}
        </ul>
      )}
      {page.causes.length === 0 ? null : (
        <section aria-labelledby="causes-title">
          <div class="section-head">
            <h2 id="causes-title">Causes</h2>
            <Filter page={page} filter={filter} onChange={change} />
          </div>
          {causes.length === 0 ? (
            <p class="quiet">
              No cause matches. <a href="#/">Show all {page.causes.length}</a>
            </p>
          ) : (
            <ol class="causes">
              {causes.map((cause) => (
                <Cause
                  key={cause.id}
                  page={page}
                  cause={cause}
                  isOpen={route.cause === cause.id}
                  onToggle={() =>
                    go(
                      {
                        page: 'overview',
                        filter,
                        ...(route.cause === cause.id ? {} : { cause: cause.id }),
                      },
                      true,
                    )
                  }
                />
              ))}
            </ol>
          )}
        </section>
      )}
      <Scenarios page={page} causes={opened.length > 0 ? opened : isFiltered ? causes : undefined} />
    </main>
  );
}

function isShown(cause: CauseData, { level, text }: CauseFilter): boolean {
  if (level !== undefined && cause.level !== level) return false;
  const { code, title, place, expected, actual, why } = cause;
  const all = [code, title, place, expected, actual, why].join('\n').toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}

type FilterProps = {
  readonly page: PageData;
  readonly filter: CauseFilter;
  readonly onChange: (filter: CauseFilter) => void;
};

const levelTitles: Readonly<Record<Level, string>> = {
  breaks: 'the backend or the client treats the message differently',
  identity: 'it shows the backend another client, version or device',
  shape: 'the receiver reads the same, but the official side does not send it so',
};

function Filter({ page, filter, onChange }: FilterProps) {
  const number = (level: Level) => page.causes.filter((cause) => cause.level === level).length;
  return (
    <search class="filter">
      <fieldset class="choice" aria-label="severity">
        <button
          type="button"
          aria-pressed={filter.level === undefined}
          onClick={() => onChange({ text: filter.text })}
        >
          all <span class="count">{page.causes.length}</span>
        </button>
        {levels.map((level) => (
          <button
            type="button"
            key={level}
            class={`level ${level}`}
            title={levelTitles[level]}
            disabled={number(level) === 0}
            aria-pressed={filter.level === level}
            onClick={() => onChange({ text: filter.text, ...(filter.level === level ? {} : { level }) })}
          >
            {level} <span class="count">{number(level)}</span>
          </button>
        ))}
      </fieldset>
      <input
        type="search"
        class="text"
        aria-label="filter by code, name or text"
        placeholder="filter by code or text   /"
        value={filter.text}
        onInput={(event) => onChange({ ...filter, text: event.currentTarget.value })}
      />
    </search>
  );
}

type CauseProps = {
  readonly page: PageData;
  readonly cause: CauseData;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
};

function Cause({ page, cause, isOpen, onToggle }: CauseProps) {
  const { id, code, level, title, where, effect, accepted, conversations } = cause;
  return (
    <li class={`cause level ${level}${accepted === undefined ? '' : ' accepted'}`}>
      <button type="button" class="cause-row" aria-expanded={isOpen} onClick={onToggle} data-cause={id}>
        <span class="severity">{level}</span>
        <span class="title">{title}</span>
        <span class="code">{code}</span>
        <span class="effect">{accepted === undefined ? effect : 'accepted'}</span>
        <span class="where">
          {where}
          <Strip total={page.conversations.length} shown={conversations} />
        </span>
      </button>
      {isOpen ? <CauseDetail page={page} cause={cause} /> : null}
    </li>
  );
}

/** A bar with one tick for each conversation, in order: the pattern shows what they have in common. */
function Strip({ total, shown }: { readonly total: number; readonly shown: readonly number[] }) {
  // Neighbours are one rectangle.
  const runs: { from: number; to: number }[] = [];
  for (const index of shown) {
    const last = runs.at(-1);
    if (last !== undefined && last.to === index) last.to = index + 1;
    else runs.push({ from: index, to: index + 1 });
  }
  return (
    <svg class="strip" viewBox={`0 0 ${total} 1`} preserveAspectRatio="none" aria-hidden="true">
      {runs.map(({ from, to }) => (
        <rect key={from} x={from} y="0" width={to - from} height="1" />
      ))}
    </svg>
  );
}

function CauseDetail({ page, cause }: { readonly page: PageData; readonly cause: CauseData }) {
  const { place, expected, actual, orders, accepted, why, fix, comparisons } = cause;
  return (
    <div class="detail">
      <dl>
        <dt>place</dt>
        <dd>{place}</dd>
        {accepted === undefined ? null : (
          <>
            <dt>accepted</dt>
            <dd>{accepted}</dd>
          </>
        )}
        {orders === undefined ? null : (
          <>
            <dt>order</dt>
            <dd class="orders">
              <NameList title="expected" names={orders.expected} />
              <NameList title="actual" names={orders.actual} />
            </dd>
          </>
        )}
        {expected === null || orders !== undefined ? null : (
          <>
            <dt>expected</dt>
            <dd class="value expected">{expected}</dd>
          </>
        )}
        {actual === null || orders !== undefined ? null : (
          <>
            <dt>actual</dt>
            <dd class="value actual">{actual}</dd>
          </>
        )}
        <dt>why</dt>
        <dd>{why}</dd>
        {fix === null ? null : (
          <>
            <dt>how to fix it</dt>
            <dd>{fix}</dd>
          </>
        )}
        <dt>shown by</dt>
        <dd>{comparisons.join(', ')}</dd>
        <dt>scenarios</dt>
        <dd>
          <WhereFound page={page} cause={cause} />
        </dd>
      </dl>
    </div>
  );
}

function NameList({ title, names }: { readonly title: string; readonly names: readonly string[] }) {
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <ol>
        {names.map((name) => (
          <li key={name}>{name}</li>
        ))}
      </ol>
    </figure>
  );
}

/** More links than this are folded. */
const mostLinks = 12;

/** Links to the conversations that show a cause: a first one, and all by their group. */
function WhereFound({ page, cause }: { readonly page: PageData; readonly cause: CauseData }) {
  const own = cause.conversations.flatMap((index) => page.conversations[index] ?? []);
  const first = own.find(({ traffic }) => traffic);
  const all = (
    <ul class="by-group">
      {[...Map.groupBy(own, ({ group }) => group)].map(([group, members]) => (
        <li key={group}>
          <span class="group">{group}</span>{' '}
          {members.map(({ id, name }) => (
            <a key={id} href={linkTo(id, cause)}>
              {name}
            </a>
          ))}
        </li>
      ))}
    </ul>
  );
  return (
    <>
      {first === undefined ? null : (
        <a class="look" href={linkTo(first.id, cause)}>
          show it in {first.group} {first.name}
        </a>
      )}
      {own.length <= mostLinks ? (
        all
      ) : (
        <details>
          <summary>all {own.length}</summary>
          {all}
        </details>
      )}
    </>
  );
}

function linkTo(conversation: string, cause: CauseData): string {
  return routeLink({ page: 'conversation', conversation, variant: 0, cause: cause.id });
}

type ScenariosProps = {
  readonly page: PageData;
  /** The causes that are shown, if they are filtered. */
  readonly causes: readonly CauseData[] | undefined;
};

/** A table with one row for each name and one column for each group. Names in which the same was found are folded. */
function Scenarios({ page, causes }: ScenariosProps) {
  const { groups, rows, clean } = useMemo(() => tableOf(page), [page]);
  const shown = useMemo(
    () => (causes === undefined ? undefined : new Set(causes.flatMap(({ conversations }) => conversations))),
    [causes],
  );
  const indices = useMemo(
    () => new Map(page.conversations.map((conversation, index) => [conversation, index])),
    [page],
  );
  return (
    <section aria-labelledby="scenarios-title">
      <div class="section-head">
        <h2 id="scenarios-title">Scenarios</h2>
        {rows.length === 0 ? null : (
          <p class="legend quiet" aria-hidden="true">
            the number of findings, and the worst of them
          </p>
        )}
      </div>
      {rows.length === 0 ? null : (
        <div class="scroll">
          <table class="matrix">
            <thead>
              <tr>
                <th scope="col">scenario</th>
                {groups.map((group) => (
                  <th scope="col" key={group}>
                    {group}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <MatrixRows key={row.name} {...{ page, groups, row, indices, shown }} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {clean.length === 0 ? null : (
        <details class="clean" open={rows.length === 0}>
          <summary>
            {rows.length === 0 ? 'All ' : ''}
            {clean.length} scenario{clean.length === 1 ? '' : 's'} without findings
            {groups.length > 1 ? ' in any version' : ''}
          </summary>
          <p>{clean.join(', ')}</p>
        </details>
      )}
    </section>
  );
}

type MatrixRowsProps = {
  readonly page: PageData;
  readonly groups: readonly string[];
  readonly row: ScenarioRow;
  readonly indices: ReadonlyMap<ConversationData, number>;
  readonly shown: ReadonlySet<number> | undefined;
};

/** A row, and below it, when it is opened, the others in which the same was found. */
function MatrixRows({ page, groups, row, indices, shown }: MatrixRowsProps) {
  const [isOpen, setOpen] = useState(false);
  const { alike } = row;
  return (
    <>
      {[row, ...(isOpen ? alike : [])].map(({ name, own }) => (
        <tr key={name}>
          <th scope="row" class={name === row.name ? '' : 'alike'}>
            {name}
            {name !== row.name || alike.length === 0 ? null : (
              <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
                {isOpen ? 'and these' : `and ${alike.length} more alike`}
              </button>
            )}
          </th>
          {groups.map((group) => {
            const conversation = own.get(group);
            const index = conversation === undefined ? -1 : (indices.get(conversation) ?? -1);
            return (
              <td key={group}>
                {conversation === undefined ? null : (
                  <MatrixCell
                    page={page}
                    conversation={conversation}
                    faint={shown !== undefined && !shown.has(index)}
                  />
                )}
              </td>
            );
          })}
        </tr>
      ))}
    </>
  );
}

/** The conversations of one name, by their group. */
type NamedRow = { readonly name: string; readonly own: ReadonlyMap<string, ConversationData> };

/** A row, and the rows in which the same was found in the same groups. */
type ScenarioRow = NamedRow & { readonly alike: readonly NamedRow[] };

type ScenarioTable = {
  readonly groups: readonly string[];
  readonly rows: readonly ScenarioRow[];
  /** The names of conversations that are ok in all groups. */
  readonly clean: readonly string[];
};

function tableOf({ conversations }: PageData): ScenarioTable {
  const names = Map.groupBy(conversations, ({ name }) => name);
  const isClean = (own: readonly ConversationData[]) => own.every(({ verdict }) => verdict.type === 'ok');
  const entries = [...names];
  const named = entries
    .filter(([, own]) => !isClean(own))
    .map(([name, own]): NamedRow => ({ name, own: new Map(own.map((one) => [one.group, one])) }));
  return {
    groups: [...new Set(conversations.map(({ group }) => group))],
    rows: [...Map.groupBy(named, signatureOf).values()].flatMap(([first, ...alike]) =>
      first === undefined ? [] : [{ ...first, alike }],
    ),
    clean: entries.filter(([, own]) => isClean(own)).map(([name]) => name),
  };
}

/** Equal for rows in which the same was found. */
function signatureOf({ own }: NamedRow): string {
  return JSON.stringify(
    [...own].map(([group, { verdict, findings }]) => [
      group,
      verdict,
      [...new Set(findings.map(({ cause }) => cause))].sort(),
    ]),
  );
}

type MatrixCellProps = {
  readonly page: PageData;
  readonly conversation: ConversationData;
  /** It does not show the causes that are filtered for. */
  readonly faint: boolean;
};

function MatrixCell({ page, conversation, faint }: MatrixCellProps) {
  const { id, verdict, findings } = conversation;
  const own = new Set(findings.map(({ cause }) => page.causes[cause]?.level));
  const level = levels.find((one) => own.has(one));
  const codes = [...new Set(findings.map(({ cause }) => page.causes[cause]?.code ?? ''))];
  const name = findings.length === 0 ? '' : `, ${findings.length} findings, worst ${level}`;
  return (
    <a
      class={`matrix-cell${level === undefined ? '' : ` level ${level}`}${faint ? ' faint' : ''}`}
      href={routeLink({ page: 'conversation', conversation: id, variant: 0 })}
      aria-label={`${id}: ${verdict.type}${name}`}
      title={codes.join('\n')}
    >
      {findings.length === 0 ? <VerdictMark verdict={verdict} /> : findings.length}
    </a>
  );
}
