import { useEffect, useMemo, useState } from 'preact/hooks';
import { ConversationBody } from './conversation.tsx';
import { type HotVariable, HotVariableContext } from './hot-variable.ts';
import type { TrafficVariant } from './model.ts';
import { type ConversationRoute, overview, routeLink } from './route.ts';
import { SharedReader } from './shared-reader.ts';
import type { TurnData, TurnPage, WatchState } from './watch-model.ts';
import { markClass, turnLink } from './watch-sessions.tsx';
import { fetchTurn } from './watch-store.ts';

type WatchTurnProps = {
  readonly state: WatchState;
  readonly id: number;
  readonly route: ConversationRoute;
  readonly go: (route: ConversationRoute, replace?: boolean) => void;
};

/** One turn: its verdicts with their reasons, and its frames beside the golden and the turn before. */
export function WatchTurn({ state, id, route, go }: WatchTurnProps) {
  const session = state.sessions.find(({ turns }) => turns.some((turn) => turn.id === id));
  const turn = session?.turns.find((one) => one.id === id);
  const [page, setPage] = useState<TurnPage | 'missing' | undefined>();
  const [hotName, light] = useState<string | undefined>();
  const hot = useMemo((): HotVariable => ({ name: hotName, light }), [hotName]);
  const texts = useMemo(() => new SharedReader(typeof page === 'object' ? page.page.shared : []), [page]);
  // Frames are fetched again when a turn ends, and when its session has been compared.
  const version = `${turn?.running} ${session?.golden.type} ${session?.golden.findings.length}`;
  useEffect(() => {
    let isCurrent = true;
    void fetchTurn(id).then((fetched) => {
      if (isCurrent) setPage(fetched ?? 'missing');
    });
    return () => {
      isCurrent = false;
    };
  }, [id, version]);
  if (session === undefined || turn === undefined)
    return (
      <main class="overview">
        <p class="headline">This turn is no longer kept</p>
        <a href={routeLink(overview)}>all sessions</a>
      </main>
    );
  const at = session.turns.indexOf(turn);
  return (
    <HotVariableContext.Provider value={hot}>
      <main class="conversation watch">
        <header class="head">
          <nav aria-label="breadcrumb">
            <a href={routeLink(overview)}>Session {session.number}</a> <span aria-hidden="true">›</span>{' '}
            <h1>{turn.title}</h1>
          </nav>
          <span class="quiet">{turn.model}</span>
          <span class="spacer" />
          <nav aria-label="turns" class="neighbours">
            <NeighbourTurn turn={session.turns[at - 1]} label="previous turn" />
            <NeighbourTurn turn={session.turns[at + 1]} label="next turn" />
          </nav>
        </header>
        <Verdicts turn={turn} />
        {page === undefined ? (
          <p class="no-traffic quiet">loading the frames</p>
        ) : page === 'missing' ? (
          <p class="no-traffic">The frames of this turn are no longer kept.</p>
        ) : (
          <TurnTraffic turn={page} texts={texts} route={route} go={go} />
        )}
      </main>
    </HotVariableContext.Provider>
  );
}

type TurnTrafficProps = {
  readonly turn: TurnPage;
  readonly texts: SharedReader;
  readonly route: ConversationRoute;
  readonly go: WatchTurnProps['go'];
};

function TurnTraffic({ turn: { page, traffic }, texts, route, go }: TurnTrafficProps) {
  const [conversation] = page.conversations;
  const [variant] = traffic.variants;
  if (conversation === undefined || variant === undefined) return null;
  const levels = conversation.findings.map(({ cause }) => page.causes[cause]?.level ?? 'shape');
  return (
    <>
      {page.notes.map(({ text }) => (
        <p key={text} class="no-traffic quiet">
          {text}
        </p>
      ))}
      <ConversationBody
        key={variant.views.length}
        {...{ page, conversation, variant, levels, texts, go }}
        route={withRequest(route, variant)}
        variants={traffic.variants}
      />
    </>
  );
}

/** Beside the turn before, the request is opened first. */
function withRequest(route: ConversationRoute, { views, tracks }: TrafficVariant): ConversationRoute {
  const view = views.find(({ id }) => id === (route.view ?? views[0]?.id));
  if (view?.id !== 'turns' || route.row !== undefined) return route;
  const frames = tracks[view.right]?.frames ?? [];
  const row = view.rows.findIndex(([kind, , right]) => {
    const frame = frames[right];
    return (
      kind === 'frame' && frame?.from === 'client' && (frame.kind === 'message' || frame.kind === 'body')
    );
  });
  return row === -1 ? route : { ...route, row };
}

function NeighbourTurn({ turn, label }: { readonly turn: TurnData | undefined; readonly label: string }) {
  return turn === undefined ? null : (
    <a class="button" href={turnLink(turn.id)} title={turn.title}>
      {label}
    </a>
  );
}

function Verdicts({ turn }: { readonly turn: TurnData }) {
  return (
    <ul class="turn-verdicts" aria-label="verdicts">
      {turn.parts.map(({ topic, text, mark, why, fix }) => (
        <li key={topic + text} class={`chip ${markClass(mark)}`}>
          <b>{text}</b>
          <span>
            {why}
            {fix === undefined ? null : <em> {fix}</em>}
          </span>
        </li>
      ))}
    </ul>
  );
}
