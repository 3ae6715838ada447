import type { OfficialClient } from '../client/install/installed.ts';
import type { Lane } from '../client/official/lanes.ts';
import type { SdkSurface } from '../client/openai/sdk-conversation.ts';
import type { Golden } from '../golden/golden.ts';
import type { CertificateAuthority } from '../tap/certificate-authority.ts';
import type { Subject } from './subject.ts';

/** Who plays the client: the golden itself, the real thing, or a program with the library of OpenAI. */
export type Driver =
  | { readonly kind: 'replay' }
  | { readonly kind: `openai-${SdkSurface}`; readonly surface: SdkSurface }
  | { readonly kind: 'codex'; readonly client: OfficialClient; readonly authority: CertificateAuthority };

export type CheckOptions = {
  readonly lane: Lane;
  /** What the client says to the subject. */
  readonly golden: Golden;
  /** What is to leave the subject: the same, but where the lane points the client at a proxy. */
  readonly upstream: Golden;
  /** The folder they are from. */
  readonly goldens: string;
  readonly subject: Subject;
  readonly driver: Driver;
  /** The port at which the subject's upstream is expected; any free one where the subject is told. */
  readonly backendPort: number;
  /** Milliseconds that one scenario may take. */
  readonly timeLimit: number;
  readonly signal: AbortSignal;
};
