import { useContext, useLayoutEffect, useMemo, useState } from 'preact/hooks';
import { readTraffic } from './embedded.ts';
import { type HotVariable, HotVariableContext } from './hot-variable.ts';
import type { ConversationData, FindingData, Level, PageData, TrafficVariant } from './model.ts';
import { type ConversationRoute, overview, routeLink } from './route.ts';
import { ViewRows } from './rows.ts';
import type { SharedReader } from './shared-reader.ts';
import { SideBySide } from './side-by-side.tsx';
import { Timeline } from './timeline.tsx';
import type { TimelineRow } from './timeline-rows.ts';
import { VerdictMark } from './verdict-mark.tsx';
import { visible } from './visible.ts';

type ConversationProps = {
  readonly page: PageData;
  readonly index: number;
  readonly route: ConversationRoute;
  readonly texts: SharedReader;
  readonly go: (route: ConversationRoute, replace?: boolean) => void;
};

const timelineId = 'timeline';

/** One conversation: its findings, its variables, and its traffic. */
export function Conversation({ page, index, route, texts, go }: ConversationProps) {
  const conversation = page.conversations[index];
  const traffic = useMemo(() => (conversation?.traffic ? readTraffic(index) : undefined), [index]);
  const [hotName, light] = useState<string | undefined>();
  const hot = useMemo((): HotVariable => ({ name: hotName, light }), [hotName]);
  if (conversation === undefined) return null;
  const variant = traffic?.variants[route.variant] ?? traffic?.variants[0];
  const levels = conversation.findings.map(({ cause }) => page.causes[cause]?.level ?? 'shape');
  return (
    <HotVariableContext.Provider value={hot}>
      <main class="conversation">
        <Head page={page} index={index} conversation={conversation} />
        {variant === undefined ? (
          <NoTraffic conversation={conversation} page={page} />
        ) : (
          <ConversationBody
            key={`${index} ${route.variant}`}
            {...{ page, conversation, variant, levels, texts, route, go }}
            variants={traffic?.variants ?? []}
          />
        )}
      </main>
    </HotVariableContext.Provider>
  );
}

type HeadProps = {
  readonly page: PageData;
  readonly index: number;
  readonly conversation: ConversationData;
};

function Head({ page, index, conversation }: HeadProps) {
  const { previous, next } = neighbours(page, index);
  return (
    <header class="head">
      <nav aria-label="breadcrumb">
        <a href={routeLink(overview)}>{page.title}</a> <span aria-hidden="true">›</span> {conversation.group}{' '}
        <span aria-hidden="true">›</span> <h1>{conversation.name}</h1>
      </nav>
      <ul class="verdicts" aria-label="comparisons">
        {conversation.comparisons.map(({ name, verdict }) => (
          <li key={name}>
            <VerdictMark verdict={verdict} /> {name}
          </li>
        ))}
      </ul>
      <span class="spacer" />
      <nav aria-label="scenarios with findings" class="neighbours">
        <NeighbourLink page={page} index={previous} label="previous scenario" shortcut="[" />
        <NeighbourLink page={page} index={next} label="next scenario" shortcut="]" />
      </nav>
    </header>
  );
}

type NeighbourLinkProps = {
  readonly page: PageData;
  readonly index: number | undefined;
  readonly label: string;
  readonly shortcut: string;
};

function NeighbourLink({ page, index, label, shortcut }: NeighbourLinkProps) {
  const conversation = index === undefined ? undefined : page.conversations[index];
  if (conversation === undefined) return null;
  return (
    <a
      class="button"
      title={`${label}: ${conversation.id}`}
      href={routeLink({ page: 'conversation', conversation: conversation.id, variant: 0 })}
    >
      {label} <kbd>{shortcut}</kbd>
    </a>
  );
}

/** The nearest conversations with findings before and after one. */
export function neighbours(
  { conversations }: PageData,
  index: number,
): { readonly previous: number | undefined; readonly next: number | undefined } {
  const found = conversations.flatMap(({ findings }, at) => (findings.length === 0 ? [] : [at]));
  return { previous: found.findLast((at) => at < index), next: found.find((at) => at > index) };
}

function NoTraffic({
  page,
  conversation,
}: {
  readonly page: PageData;
  readonly conversation: ConversationData;
}) {
  const { verdict, findings } = conversation;
  return (
    <div class="no-traffic">
      {verdict.reason === undefined ? null : <p class="reason">{verdict.reason}</p>}
      {findings.length > 0 ? (
        <>
          <Findings page={page} conversation={conversation} onShow={undefined} />
          <p class="quiet">
            This page does not have the traffic of the scenario. Check the scenario alone to see it.
          </p>
        </>
      ) : verdict.type === 'ok' ? (
        <p>Nothing was found. The page has the traffic only of scenarios with findings.</p>
      ) : null}
      <Files conversation={conversation} />
    </div>
  );
}

/** Where the traffic is on the machine that made the page. */
function Files({ conversation: { files } }: { readonly conversation: ConversationData }) {
  if (files.length === 0) return null;
  return (
    <>
      <h2>Traces</h2>
      <ul class="files">
        {files.map((file) => (
          <li key={file}>{file}</li>
        ))}
      </ul>
    </>
  );
}

type BodyProps = {
  readonly page: PageData;
  readonly conversation: ConversationData;
  readonly variant: TrafficVariant;
  readonly variants: readonly TrafficVariant[];
  readonly levels: readonly Level[];
  readonly texts: SharedReader;
  readonly route: ConversationRoute;
  readonly go: ConversationProps['go'];
};

/** The findings and variables of a conversation, and its traffic in several views. */
export function ConversationBody({
  page,
  conversation,
  variant,
  variants,
  levels,
  texts,
  route,
  go,
}: BodyProps) {
  const sources = useMemo(
    () => new Map(variant.views.map((view) => [view.id, new ViewRows(variant, view, texts)])),
    [variant],
  );
  const asked = placeOfCause(page, conversation, variant, route.cause);
  const first = variant.views.find(({ marks }) => marks.length > 0) ?? variant.views[0];
  const view = route.view ?? asked?.view ?? first?.id ?? timelineId;
  const row = route.row ?? (view === asked?.view ? asked.row : undefined);
  const source = sources.get(view);
  const passed = useMemo(() => new Counterparts(variant), [variant]);
  useLayoutEffect(() => {
    document.querySelector<HTMLElement>('.list')?.focus({ preventScroll: true });
  }, [view, variant]);
  const show = (id: string, row: number | undefined) => {
    const { row: _, cause: __, ...rest } = route;
    go({ ...rest, view: id, ...(row === undefined ? {} : { row }) }, id === view);
  };
  const showFinding = (finding: number) => {
    for (const { id, marks } of variant.views) {
      const mark = marks.find((one) => one.finding === finding);
      if (mark !== undefined) return show(id, mark.row);
    }
  };
  const { findings, verdict, files } = conversation;
  const hasAside =
    findings.length + variant.variables.length + files.length > 0 || verdict.reason !== undefined;
  const tabs = [
    ...variant.views.map(({ id, label, marks }) => ({ id, label, found: marks.length > 0 })),
    { id: timelineId, label: 'timeline', found: false },
  ];
  return (
    <div class={hasAside ? 'body' : 'body wide'}>
      {hasAside ? (
        <aside>
          <h2>Findings</h2>
          {conversation.verdict.reason === undefined ? null : (
            <p class="reason">{conversation.verdict.reason}</p>
          )}
          <Findings page={page} conversation={conversation} onShow={showFinding} />
          <h2>Variables</h2>
          <VariableList variant={variant} />
          <Files conversation={conversation} />
        </aside>
      ) : null}
      <section class="traffic" role="tabpanel" aria-label="traffic">
        <div class="tabs">
          <div role="tablist" aria-label="views">
            {tabs.map(({ id, label, found }, at) => (
              <button
                type="button"
                role="tab"
                key={id}
                aria-selected={id === view}
                onClick={() => show(id, undefined)}
              >
                {label}
                {found ? <span class="dot" title="has findings" /> : null} <kbd>{at + 1}</kbd>
              </button>
            ))}
          </div>
          {variants.length < 2 ? null : (
            <fieldset class="choice" aria-label="how the responses were read">
              {variants.map(({ label }, at) => (
                <button
                  type="button"
                  key={label}
                  aria-pressed={at === route.variant}
                  onClick={() => go({ page: 'conversation', conversation: route.conversation, variant: at })}
                >
                  {label}
                </button>
              ))}
            </fieldset>
          )}
        </div>
        {source === undefined ? (
          <Timeline
            variant={variant}
            levelOf={(row) => passed.levelOf(row, levels)}
            counterpartOf={(row) => passed.of(row)}
            onOpen={(row) => {
              const place = passed.placeOf(row);
              if (place !== undefined) show(place.view, place.row);
            }}
          />
        ) : (
          <SideBySide
            key={view}
            rows={source}
            titles={[
              variant.tracks[source.view.left]?.name ?? '',
              variant.tracks[source.view.right]?.name ?? '',
            ]}
            levels={levels}
            target={row}
            onTarget={(row) => show(view, row)}
          />
        )}
      </section>
    </div>
  );
}

/** The first place at which a cause shows. */
function placeOfCause(
  { causes }: PageData,
  { findings }: ConversationData,
  { views }: TrafficVariant,
  cause: string | undefined,
): { readonly view: string; readonly row: number } | undefined {
  if (cause === undefined) return undefined;
  const places = views.flatMap(({ id, marks }) =>
    marks.flatMap(({ row, finding }) =>
      causes[findings[finding]?.cause ?? -1]?.id === cause ? [{ view: id, row }] : [],
    ),
  );
  return places[0];
}

/** For the timeline: where the views show a frame, and what corresponds to it. */
class Counterparts {
  readonly #places = new Map<
    string,
    { readonly view: string; readonly row: number; readonly marked: boolean }
  >();
  readonly #partners = new Map<string, { readonly track: number; readonly frame: number }>();
  readonly #findings = new Map<string, number[]>();

  constructor(variant: TrafficVariant) {
    for (const { id, left, right, rows, marks } of variant.views) {
      const marked = Map.groupBy(marks, ({ row }) => row);
      for (const [row, [kind, a, b]] of rows.entries()) {
        if (kind !== 'frame') continue;
        const found = marked.get(row) ?? [];
        for (const [track, frame] of [
          [left, a],
          [right, b],
        ] as const) {
          if (frame < 0) continue;
          const key = `${track} ${frame}`;
          const known = this.#places.get(key);
          if (known === undefined || (!known.marked && found.length > 0))
            this.#places.set(key, { view: id, row, marked: found.length > 0 });
          this.#findings.set(key, [
            ...(this.#findings.get(key) ?? []),
            ...found.map(({ finding }) => finding),
          ]);
        }
        const isPassedOn = variant.timeline.tracks.includes(left) && variant.timeline.tracks.includes(right);
        if (!isPassedOn || a < 0 || b < 0) continue;
        this.#partners.set(`${left} ${a}`, { track: right, frame: b });
        this.#partners.set(`${right} ${b}`, { track: left, frame: a });
      }
    }
  }

  of({ track, frame }: TimelineRow) {
    return this.#partners.get(`${track} ${frame}`);
  }

  placeOf({ track, frame }: TimelineRow) {
    return this.#places.get(`${track} ${frame}`);
  }

  levelOf({ track, frame }: TimelineRow, levels: readonly Level[]): Level | undefined {
    const own = new Set((this.#findings.get(`${track} ${frame}`) ?? []).map((finding) => levels[finding]));
    return (['breaks', 'identity', 'shape'] as const).find((level) => own.has(level));
  }
}

type FindingsProps = {
  readonly page: PageData;
  readonly conversation: ConversationData;
  readonly onShow: ((finding: number) => void) | undefined;
};

/** The findings by their cause, the most harmful first. */
function Findings({ page, conversation, onShow }: FindingsProps) {
  const { findings } = conversation;
  if (findings.length === 0) return <p class="quiet">none</p>;
  const groups = Map.groupBy(findings.keys(), (index) => findings[index]?.cause ?? -1);
  return (
    <ul class="findings">
      {[...groups]
        .sort(([a], [b]) => a - b)
        .map(([cause, [first = -1, ...others]]) => (
          <li key={cause} class={`level ${page.causes[cause]?.level ?? 'shape'}`}>
            <FindingView
              finding={findings[first]}
              code={page.causes[cause]?.code}
              onShow={onShow && (() => onShow(first))}
            />
            {others.length === 0 ? null : (
              <details>
                <summary>
                  {others.length} more finding{others.length === 1 ? '' : 's'} of this cause
                </summary>
                {others.map((index) => (
                  <FindingView
                    key={index}
                    finding={findings[index]}
                    code={undefined}
                    onShow={onShow && (() => onShow(index))}
                  />
                ))}
              </details>
            )}
          </li>
        ))}
    </ul>
  );
}

type FindingViewProps = {
  readonly finding: FindingData | undefined;
  readonly code: string | undefined;
  readonly onShow: (() => void) | undefined;
};

function FindingView({ finding, code, onShow }: FindingViewProps) {
  if (finding === undefined) return null;
  const { places, expected, actual, comparisons } = finding;
  const [place = '', ...others] = places;
  const inner = (
    <>
      {code === undefined ? null : <span class="code">{code}</span>}
      <span class="place">
        {place}
        {others.length === 0 ? null : <span class="quiet"> and {others.length} more</span>}
      </span>
      {expected === null ? null : (
        <span class="value">
          <b>expected</b> {expected}
        </span>
      )}
      {actual === null ? null : (
        <span class="value">
          <b>actual</b> {actual}
        </span>
      )}
      <span class="quiet">{comparisons.join(', ')}</span>
    </>
  );
  return onShow === undefined ? (
    <div class="finding">{inner}</div>
  ) : (
    <button type="button" class="finding" onClick={onShow}>
      {inner}
    </button>
  );
}

function VariableList({ variant }: { readonly variant: TrafficVariant }) {
  const hot = useContext(HotVariableContext);
  return (
    <ul class="variables">
      {variant.variables.map(({ name, description, value }) => (
        <li key={name}>
          <button
            type="button"
            class={hot.name === name ? 'hot' : ''}
            title={visible(description)}
            onPointerEnter={() => hot.light(name)}
            onPointerLeave={() => hot.light(undefined)}
            onFocus={() => hot.light(name)}
            onBlur={() => hot.light(undefined)}
          >
            <span class="variable in-pattern">{visible(name)}</span>
            <span class="value">{value === undefined ? '–' : visible(value)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
