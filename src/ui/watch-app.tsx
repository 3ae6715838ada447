import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { overview, type PageRoute, parseRoute, routeLink } from './route.ts';
import { applyTheme, readTheme, themes } from './theme.ts';
import type { WatchState } from './watch-model.ts';
import { WatchSessions } from './watch-sessions.tsx';
import { stateAfter, subscribe } from './watch-store.ts';
import { WatchTurn } from './watch-turn.tsx';

/** The live page: sessions with their turns, or one turn. The part of the URL after `#` says which. */
export function WatchApp() {
  const [state, setState] = useState<WatchState | undefined>();
  const [isLive, setLive] = useState(false);
  const [route, setRoute] = useState<PageRoute>(() => parseRoute(location.hash));
  const [theme, setTheme] = useState(readTheme);
  useEffect(() => subscribe((message) => setState((now) => stateAfter(now, message)), setLive), []);
  useLayoutEffect(() => applyTheme(theme), [theme]);
  useEffect(() => {
    const update = () => setRoute(parseRoute(location.hash));
    window.addEventListener('hashchange', update);
    window.addEventListener('popstate', update);
    return () => {
      window.removeEventListener('hashchange', update);
      window.removeEventListener('popstate', update);
    };
  }, []);
  const go = (next: PageRoute, replace = false) => {
    if (replace) history.replaceState(null, '', routeLink(next));
    else history.pushState(null, '', routeLink(next));
    setRoute(next);
  };
  const nextTheme = () => setTheme(themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'system');
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const tab = /^[1-9]$/.test(event.key)
        ? document.querySelectorAll<HTMLElement>('[role=tab]')[Number(event.key) - 1]
        : undefined;
      if (event.key === 't') nextTheme();
      else if (event.key === 'Escape' && route.page === 'conversation') go(overview);
      else if (tab !== undefined) tab.click();
      else return;
      event.preventDefault();
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  });
  const wrong = state?.sessions
    .flatMap(({ turns }) => turns)
    .filter(({ parts }) => parts.some(isWrong)).length;
  useEffect(() => {
    document.title = `${wrong ? `${wrong} ✗ · ` : ''}watch · codex-parity`;
  }, [wrong]);
  const turn =
    route.page === 'conversation' ? Number(/^turn-(\d+)$/.exec(route.conversation)?.[1]) : Number.NaN;
  return (
    <>
      <div class="bar">
        <a href="#/" class="brand">
          codex-parity watch
        </a>
        <span class={isLive ? 'live on' : 'live'} role="status">
          {isLive ? 'live' : 'not connected'}
        </span>
        <span class="spacer" />
        <button type="button" title="light, dark, or as the system has it (t)" onClick={nextTheme}>
          {theme === 'system' ? 'system colours' : theme} <kbd>t</kbd>
        </button>
      </div>
      {state === undefined ? (
        <main class="overview">
          <p class="quiet">{isLive ? 'waiting for the program' : 'connecting to the program'}</p>
        </main>
      ) : route.page === 'conversation' && Number.isInteger(turn) ? (
        <WatchTurn key={turn} state={state} id={turn} route={route} go={go} />
      ) : (
        <WatchSessions state={state} />
      )}
    </>
  );
}

function isWrong({ mark }: { readonly mark: string }): boolean {
  return mark === 'wrong';
}
