import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Conversation, neighbours } from './conversation.tsx';
import { Help } from './help.tsx';
import type { PageData } from './model.ts';
import { openTab } from './open-tab.ts';
import { Overview } from './overview.tsx';
import { overview } from './route.ts';
import { SharedReader } from './shared-reader.ts';
import { ThemeButton, useTheme } from './theme-button.tsx';
import { useRoute } from './use-route.ts';

/** The page: the overview, or one conversation. The part of the URL after `#` says which. */
export function App({ page }: { readonly page: PageData }) {
  const [route, go] = useRoute();
  const [theme, changeTheme] = useTheme();
  const [helps, setHelps] = useState(false);
  const texts = useMemo(() => new SharedReader(page.shared), [page]);
  const scrolled = useRef(0);
  const index =
    route.page === 'conversation' ? page.conversations.findIndex(({ id }) => id === route.conversation) : -1;
  const isConversation = index !== -1;

  useEffect(() => {
    const about = page.conversations[index]?.id ?? (page.ok ? 'parity' : 'no parity');
    document.title = `${page.title} · ${about} · codex-parity`;
  }, [page, index]);
  useEffect(() => {
    if (isConversation) return;
    window.scrollTo(0, scrolled.current);
    const remember = () => {
      scrolled.current = window.scrollY;
    };
    window.addEventListener('scroll', remember);
    return () => window.removeEventListener('scroll', remember);
  }, [isConversation]);
  // A layout effect: a key that follows at once must find the handler of the present state.
  useLayoutEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector('dialog[open]') !== null) return;
      const { target } = event;
      const isTyping = target instanceof HTMLInputElement && target.type === 'search';
      if (isTyping && event.key !== 'Escape') return;
      if (isTyping) target.blur();
      else if (!useKey(event.key)) return;
      event.preventDefault();
    };
    const openConversation = (at: number | undefined) => {
      const conversation = at === undefined ? undefined : page.conversations[at];
      if (conversation !== undefined) go({ page: 'conversation', conversation: conversation.id, variant: 0 });
      return true;
    };
    const useKey = (key: string): boolean => {
      switch (key) {
        case '?':
          setHelps(true);
          return true;
        case 't':
          changeTheme();
          return true;
        case '/': {
          if (isConversation) go(overview);
          const focus = () => document.querySelector<HTMLInputElement>('input.text')?.focus();
          focus();
          requestAnimationFrame(focus);
          return true;
        }
        case 'Escape':
          if (isConversation) go(overview);
          return isConversation;
        case '[':
        case ']': {
          const { previous, next } = neighbours(page, index);
          return openConversation(key === '[' ? previous : next);
        }
        case 'ArrowDown':
        case 'ArrowUp':
        case 'j':
        case 'k':
          return !isConversation && moveFocus(key === 'ArrowDown' || key === 'j' ? 1 : -1, key.length === 1);
        default:
          return openTab(key);
      }
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  });
  return (
    <>
      <div class="bar">
        <a href="#/" class="brand">
          codex-parity
        </a>
        <span class="spacer" />
        <ThemeButton theme={theme} change={changeTheme} />
        <button type="button" onClick={() => setHelps(true)}>
          keys <kbd>?</kbd>
        </button>
      </div>
      {route.page === 'conversation' && isConversation ? (
        <Conversation key={index} page={page} index={index} route={route} texts={texts} go={go} />
      ) : (
        <Overview page={page} route={route.page === 'overview' ? route : overview} go={go} />
      )}
      {helps ? <Help onClose={() => setHelps(false)} /> : null}
    </>
  );
}

/** Moves the focus between causes. The arrow keys scroll unless a cause has the focus. */
function moveFocus(step: 1 | -1, always: boolean): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>('.cause-row')];
  const at = rows.findIndex((row) => row.matches(':focus'));
  if (at === -1 && !always) return false;
  rows[Math.max(0, Math.min(rows.length - 1, at + step))]?.focus();
  return rows.length > 0;
}
