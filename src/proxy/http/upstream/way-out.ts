import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';

/**
 * Returns an agent for one request. It goes through the proxy that `HTTPS_PROXY` or `HTTP_PROXY` names, unless `NO_PROXY`
 * has the host. Node tunnels https and changes nothing within the tunnel. This machine needs no proxy. `timeout`:
 * milliseconds within which the tunnel must be open.
 */
export function wayOut({ protocol, hostname }: URL, timeout: number): HttpAgent {
  const isHere = /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
  const options = isHere ? {} : { proxyEnv: process.env, timeout };
  return protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
}

/** A backend with which no secure connection is possible. Retries do not help. */
export class InsecureBackend extends Error {
  override readonly name = 'InsecureBackend';
}

/** Codes of errors about certificates and TLS versions, as Node and OpenSSL name them. */
const tlsCode =
  /^(?:EPROTO$|ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH$|INVALID_CA$)/;

/** Returns the error to report for a connection that failed. */
export function connectionError(error: Error): Error {
  if (!('code' in error) || !tlsCode.test(String(error.code))) return error;
  const reason = 'reason' in error ? String(error.reason) : error.message;
  return new InsecureBackend(
    `no secure connection to the backend is possible: ${reason} (${error.code}). If a proxy on the way has a certificate of its own, name that in NODE_EXTRA_CA_CERTS`,
  );
}
