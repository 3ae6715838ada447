import type { HeaderList } from '../wire/headers.ts';

/** How clients reach a proxy that needs more than a URL. */
export type ClientSettings = {
  /** The API key that they send. */
  readonly key?: string;
  /** Further headers. */
  readonly headers: HeaderList;
  /** The names that they use for models, by their official names. `*` stands for any name. */
  readonly models: Readonly<Record<string, string>>;
};

/** The settings of a client that sends what the official client sends. */
export const officialSettings: ClientSettings = { headers: [], models: {} };

/** Whether a client has to send anything else than the official client. */
export function changesRequests({ key, headers, models }: ClientSettings): boolean {
  return key !== undefined || headers.length > 0 || Object.keys(models).length > 0;
}

/** The headers of a request with those of the settings: in the place of headers with the same name, or at the end. */
export function withClientHeaders(sent: HeaderList, { key, headers }: ClientSettings): HeaderList {
  const own: HeaderList = [
    ...(key === undefined ? [] : [['authorization', `Bearer ${key}`] as const]),
    ...headers,
  ];
  const named = (list: HeaderList, name: string) =>
    list.find(([other]) => other.toLowerCase() === name.toLowerCase());
  const kept = sent.map(([name, value]) => [name, named(own, name)?.[1] ?? value] as const);
  return [...kept, ...own.filter(([name]) => named(sent, name) === undefined)];
}

/** The name that clients use for a model. */
export function clientModel({ models }: ClientSettings, name: string): string {
  return models[name] ?? models['*']?.replaceAll('*', name) ?? name;
}
