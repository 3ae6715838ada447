import type { HeaderList } from '../wire/headers.ts';

/** What the backend tells its owner, as it happens. Nothing in it is sealed: never to be stored or printed as it is. */
export type BackendEvent =
  | {
      /** A plain HTTP request was answered. */
      readonly type: 'request';
      readonly method: string;
      readonly target: string;
      readonly headers: HeaderList;
      readonly status: number;
    }
  | {
      /** A request no route is made for; it was answered 404. A new client version may have learnt a new path. */
      readonly type: 'unrouted';
      readonly method: string;
      readonly target: string;
    }
  | { readonly type: 'upgrade'; readonly target: string; readonly headers: HeaderList }
  | {
      /** A request for a response, over the websocket or as a POST; `body` is its JSON text, decompressed. */
      readonly type: 'create';
      readonly transport: 'websocket' | 'http';
      readonly body: string;
      /** True for `generate:false`, which is answered without using up a scripted reply. */
      readonly prewarm: boolean;
    }
  | {
      /** A frame or body that asks for no response: not JSON, or of a type the script has no answer for. */
      readonly type: 'not-understood';
      readonly transport: 'websocket' | 'http';
      readonly reason: string;
    }
  /** A response was asked for that no scripted reply is left for; it was answered with an error. */
  | { readonly type: 'script-exhausted'; readonly scripted: number };

export type OnBackendEvent = (event: BackendEvent) => void;
