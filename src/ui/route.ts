import { type Level, levels } from './model.ts';

/** What the page shows; every state of it that is worth a link. */
export type PageRoute = OverviewRoute | ConversationRoute;

export type OverviewRoute = {
  readonly page: 'overview';
  readonly filter: CauseFilter;
  /** The id of the cause that is open. */
  readonly cause?: string;
};

export type ConversationRoute = {
  readonly page: 'conversation';
  readonly conversation: string;
  /** A view by its id, or the timeline. */
  readonly view?: string;
  readonly variant: number;
  /** The row that is shown first. */
  readonly row?: number;
  /** The id of a cause: without a row, its first place is shown first. */
  readonly cause?: string;
};

export type CauseFilter = { readonly level?: Level; readonly text: string };

export const noFilter: CauseFilter = { text: '' };
export const overview: OverviewRoute = { page: 'overview', filter: noFilter };

/** Reads the part of a URL after `#`. Anything unknown is the overview. */
export function parseRoute(hash: string): PageRoute {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?');
  const parameters = new URLSearchParams(query);
  const cause = parameters.get('cause');
  if (path === '') {
    const level = levels.find((one) => one === parameters.get('level'));
    return {
      page: 'overview',
      filter: { text: parameters.get('text') ?? '', ...(level === undefined ? {} : { level }) },
      ...(cause === null ? {} : { cause }),
    };
  }
  const view = parameters.get('view');
  const row = wholeNumber(parameters.get('row'));
  return {
    page: 'conversation',
    conversation: path.split('/').map(decoded).join('/'),
    variant: wholeNumber(parameters.get('variant')) ?? 0,
    ...(view === null ? {} : { view }),
    ...(row === undefined ? {} : { row }),
    ...(cause === null ? {} : { cause }),
  };
}

/** The link to a route. */
export function routeLink(route: PageRoute): string {
  const parameters = new URLSearchParams();
  if (route.page === 'overview') {
    const { filter, cause } = route;
    if (filter.level !== undefined) parameters.set('level', filter.level);
    if (filter.text !== '') parameters.set('text', filter.text);
    if (cause !== undefined) parameters.set('cause', cause);
    return link('', parameters);
  }
  const { conversation, view, variant, row, cause } = route;
  if (view !== undefined) parameters.set('view', view);
  if (variant > 0) parameters.set('variant', String(variant));
  if (row !== undefined) parameters.set('row', String(row));
  if (cause !== undefined) parameters.set('cause', cause);
  return link(conversation.split('/').map(encodeURIComponent).join('/'), parameters);
}

function link(path: string, parameters: URLSearchParams): string {
  const query = parameters.toString();
  return `#/${path}${query === '' ? '' : `?${query}`}`;
}

function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
