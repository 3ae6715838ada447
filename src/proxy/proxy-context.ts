import type { Limits } from './limits.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Shape } from './shape/shape.ts';
import type { SignIn } from './sign-in/sign-in.ts';

/** Where requests get their sign-in. A session keeps its account. */
export type SignIns = {
  /** The sign-in for a session's next upstream request. Call it for each request, since tokens are renewed. */
  readonly current: (session: string) => Promise<SignIn>;
  /** A sign-in that replaces one that the backend refused with 401. Rejects when there is none. */
  readonly renew: (session: string, refused: SignIn) => Promise<SignIn>;
  /** Reports a 401 that is passed on to a client, which will retry. */
  readonly refused: (session: string, signIn: SignIn) => void;
};

/** What all requests to one proxy share. */
export type ProxyContext = {
  readonly shape: Shape;
  readonly signIns: SignIns;
  /** The backend's base URL, such as https://chatgpt.com/backend-api/codex. */
  readonly upstream: URL;
  /** The URL of the backend's responses API. */
  readonly responses: URL;
  /** The Host header of upstream requests. It differs from `upstream` while a recorder sits in between. */
  readonly host: string;
  /** What the official client would report about this machine, by variable name of the golden. */
  readonly hostTexts: ReadonlyMap<string, string>;
  /** Sessions of official clients for which the backend refused websockets after the client's upgrade was accepted. */
  readonly withoutWebsockets: Set<string>;
  readonly limits: Limits;
  readonly log: Logger;
  readonly metrics: Metrics;
};
