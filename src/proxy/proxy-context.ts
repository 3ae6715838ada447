import type { RequestBytes } from './http/request-bytes.ts';
import type { Limits } from './limits.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Shape } from './shape/shape.ts';
import type { Renewals } from './sign-in/renewals.ts';
import type { SharedState } from './state/shared-state.ts';

/** What all requests to one proxy share. */
export type ProxyContext = {
  readonly shape: Shape;
  readonly signIns: Renewals;
  /** The backend's base URL, such as https://chatgpt.com/backend-api/codex. */
  readonly upstream: URL;
  /** The URL of the backend's responses API. */
  readonly responses: URL;
  /** The Host header of upstream requests. It differs from `upstream` while a recorder sits in between. */
  readonly host: string;
  /** What the official client would report about this machine, by variable name of the golden. */
  readonly hostTexts: ReadonlyMap<string, string>;
  /** Threads of official clients that must use HTTP; see relay/use-http.ts. */
  readonly withoutWebsockets: Set<string>;
  /** What several processes share. Undefined if this one is alone. */
  readonly state: SharedState | undefined;
  readonly limits: Limits;
  readonly requestBytes: RequestBytes;
  readonly log: Logger;
  readonly metrics: Metrics;
};
