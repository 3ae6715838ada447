import { installOfficialClient } from '../client/install/install.ts';
import type { OfficialClient } from '../client/install/installed.ts';
import type { SdkSurface } from '../client/openai/sdk-conversation.ts';
import type { Scenario } from '../scenario/scenario.ts';
import {
  type CertificateAuthority,
  defaultAuthorityFolder,
  openCertificateAuthority,
} from '../tap/certificate-authority.ts';
import { whyNotForPrograms } from './openai-scenarios.ts';

/** What plays the client: a replay of the golden, the official client, or a program that uses OpenAI's library. */
export type Driver =
  | { readonly kind: 'replay' }
  | { readonly kind: 'codex'; readonly client: OfficialClient; readonly authority: CertificateAuthority }
  | { readonly kind: `openai-${SdkSurface}`; readonly surface: SdkSurface };

export type DriverKind = Driver['kind'];

export const driverKinds = ['replay', 'codex', 'openai-responses', 'openai-chat'] as const;

/** Makes a driver ready to play a version; installs the official client if it is needed and missing. */
export async function prepareDriver(
  kind: DriverKind,
  codex: string,
  options: { readonly signal: AbortSignal; readonly onProgress: (line: string) => void },
): Promise<Driver> {
  if (kind === 'replay') return { kind };
  if (kind === 'openai-responses') return { kind, surface: 'responses' };
  if (kind === 'openai-chat') return { kind, surface: 'chat' };
  const client = await installOfficialClient(codex, options);
  return { kind, client, authority: await openCertificateAuthority(defaultAuthorityFolder()) };
}

/** Why a driver cannot play a scenario; undefined if it can. */
export function whyNotDriven(kind: DriverKind, scenario: Scenario): string | undefined {
  if (kind === 'replay') return undefined;
  return kind === 'codex' ? whyReplayOnly(scenario) : whyNotForPrograms(scenario);
}

/**
 * Why the official client cannot be driven through a scenario. After a 401, a subject renews its own sign-in and the
 * client renews the client's: which of them comes first is a race, so it cannot be compared.
 */
function whyReplayOnly({ faults }: Scenario): string | undefined {
  if (faults?.upgrades?.includes(401) !== true) return undefined;
  return 'it needs the driver replay: with the real client, client and proxy both renew their sign-ins';
}
