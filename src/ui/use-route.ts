import { useEffect, useState } from 'preact/hooks';
import { type PageRoute, parseRoute, routeLink } from './route.ts';

/** Goes to another page. With `replace`, "back" leads to where it led before. */
export type Go = (next: PageRoute, replace?: boolean) => void;

/** The page that the part of the URL after `#` says, and a function that goes to another one. */
export function useRoute(): readonly [route: PageRoute, go: Go] {
  const [route, setRoute] = useState<PageRoute>(() => parseRoute(location.hash));
  useEffect(() => {
    const update = () => setRoute(parseRoute(location.hash));
    window.addEventListener('hashchange', update);
    window.addEventListener('popstate', update);
    return () => {
      window.removeEventListener('hashchange', update);
      window.removeEventListener('popstate', update);
    };
  }, []);
  const go: Go = (next, replace = false) => {
    if (replace) history.replaceState(null, '', routeLink(next));
    else history.pushState(null, '', routeLink(next));
    setRoute(next);
  };
  return [route, go];
}
