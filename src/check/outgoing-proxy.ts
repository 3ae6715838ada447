import type { CertificateAuthority } from '../tap/certificate-authority.ts';
import { trustingVariables } from '../tap/trusted-authorities.ts';

/** The HTTP proxy that serves the official hosts to a program. */
export type OutgoingProxy = { readonly url: string; readonly authority: CertificateAuthority };

/** The variables that make a program use the proxy, and trust its certificates. Writes the files that they name to `folder`. */
export function outgoingVariables({ url, authority }: OutgoingProxy, folder: string): Record<string, string> {
  const direct = '127.0.0.1,localhost,::1';
  return {
    ...{ HTTPS_PROXY: url, https_proxy: url, NO_PROXY: direct, no_proxy: direct },
    // Without it, the fetch and the WebSocket of Node ignore the others.
    NODE_USE_ENV_PROXY: '1',
    ...trustingVariables(authority, folder),
  };
}
