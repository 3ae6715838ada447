import type { Limits } from './limits.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Shape } from './shape/shape.ts';
import type { SignIn } from './sign-in/sign-in.ts';

/** Where requests get their sign-in. A session stays with its account. */
export type SignIns = {
  /** The sign-in for a session's next upstream request; asked anew for each, since tokens are renewed. */
  readonly current: (session: string) => Promise<SignIn>;
  /** Another in the place of one that the backend refused with 401. Rejects where there is none. */
  readonly renew: (session: string, refused: SignIn) => Promise<SignIn>;
  /** Tells of a refusal that is passed on to a client who tries again by itself. */
  readonly refused: (session: string, signIn: SignIn) => void;
};

/** What every surface of one proxy works with. */
export type ProxyContext = {
  readonly shape: Shape;
  readonly signIns: SignIns;
  /** The backend's base, such as https://chatgpt.com/backend-api/codex. */
  readonly upstream: URL;
  /** Where it answers requests. */
  readonly responses: URL;
  /** What upstream requests say as their Host; that of `upstream` unless a recorder stands between. */
  readonly host: string;
  /** What the golden's client would say of this machine, by the golden's variables. */
  readonly hostTexts: ReadonlyMap<string, string>;
  /** Official clients' sessions whose backend takes no websockets; the client was accepted before that was known. */
  readonly withoutWebsockets: Set<string>;
  readonly limits: Limits;
  readonly log: Logger;
  readonly metrics: Metrics;
};
