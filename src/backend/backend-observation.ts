import type { HeaderList } from '../wire/headers.ts';

/** What happens in the backend, as it happens. It is not sealed, so it must never be stored or printed. */
export type BackendObservation =
  | {
      /** An HTTP request got its response. */
      readonly type: 'request';
      readonly method: string;
      readonly target: string;
      readonly headers: HeaderList;
      readonly status: number;
    }
  | {
      /** A request without a route got a 404. A new client version may use a new path. */
      readonly type: 'unrouted';
      readonly method: string;
      readonly target: string;
    }
  | { readonly type: 'upgrade'; readonly target: string; readonly headers: HeaderList }
  | {
      /** A request for a response; `body` is its JSON text, decompressed. */
      readonly type: 'create';
      readonly transport: 'websocket' | 'http';
      readonly body: string;
      /** True for `generate:false`, which uses no scripted reply. */
      readonly prewarm: boolean;
    }
  | {
      /** A message or body that is not a request for a response: not JSON, or of another type. */
      readonly type: 'not-understood';
      readonly transport: 'websocket' | 'http';
      readonly reason: string;
    }
  /** A request for a response got an error, as no scripted reply was left for it. */
  | { readonly type: 'script-exhausted'; readonly scripted: number };

export type OnBackendObservation = (event: BackendObservation) => void;
