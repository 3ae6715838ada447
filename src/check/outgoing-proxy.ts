import {
  type CertificateAuthority,
  defaultAuthorityFolder,
  openCertificateAuthority,
} from '../tap/certificate-authority.ts';
import { type InterceptingTapOptions, startInterceptingTap } from '../tap/intercept.ts';
import type { Tap } from '../tap/tap.ts';
import { trustingVariables } from '../tap/trusted-authorities.ts';

/** The HTTP proxy that serves the official hosts to a program. */
export type OutgoingProxy = { readonly url: string; readonly authority: CertificateAuthority };

/** A server behind a subject. `url` is the base URL of the backend for the subject. */
export type SubjectUpstream = Pick<Tap, 'url' | 'close'> & { readonly outgoing?: OutgoingProxy };

type OfficialHosts = Omit<InterceptingTapOptions, 'authority' | 'upstream'> & {
  readonly backend: { readonly host: string; readonly port: number; readonly http2?: boolean };
};

/** Starts an HTTP proxy that serves the official hosts from a backend. `path` is the path of the backend's base URL. */
export async function serveOfficialHosts(
  path: string,
  { backend, ...options }: OfficialHosts,
): Promise<SubjectUpstream> {
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  const upstream = { kind: 'fixed', ...backend, tls: false } as const;
  const tap = await startInterceptingTap({ authority, upstream, onOtherHost: 'refuse', ...options });
  const host = path === '/v1' ? 'api.openai.com' : 'chatgpt.com';
  return { url: `https://${host}${path}`, close: tap.close, outgoing: { url: tap.url, authority } };
}

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
