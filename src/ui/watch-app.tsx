import { useEffect, useState } from 'preact/hooks';
import { openTab } from './open-tab.ts';
import { overview } from './route.ts';
import { ThemeButton, useTheme } from './theme-button.tsx';
import { useRoute } from './use-route.ts';
import type { WatchState } from './watch-model.ts';
import { WatchSessions } from './watch-sessions.tsx';
import { stateAfter, subscribe } from './watch-store.ts';
import { WatchTurn } from './watch-turn.tsx';

/** The live page: sessions with their turns, or one turn. The part of the URL after `#` says which. */
export function WatchApp() {
  const [state, setState] = useState<WatchState | undefined>();
  const [isLive, setLive] = useState(false);
  const [route, go] = useRoute();
  const [theme, changeTheme] = useTheme();
  useEffect(() => subscribe((message) => setState((now) => stateAfter(now, message)), setLive), []);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 't') changeTheme();
      else if (event.key === 'Escape' && route.page === 'conversation') go(overview);
      else if (!openTab(event.key)) return;
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
        <ThemeButton theme={theme} change={changeTheme} />
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
