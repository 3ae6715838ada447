import type { AgentOptions, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { ParityError } from '../../../errors.ts';
import { Agent } from '../../../wire/node-http.ts';

/** Milliseconds for a forward proxy to open a tunnel. */
export const longestTunnel = 30_000;

/**
 * Returns an agent for one request. It goes through the proxy that `HTTPS_PROXY` or `HTTP_PROXY` names, unless `NO_PROXY`
 * has the host. Node tunnels https and changes nothing within the tunnel. This machine needs no proxy. `timeout`:
 * milliseconds within which the tunnel must be open.
 */
export function wayOut(url: URL, timeout: number): HttpAgent {
  return agentFor(url, isHere(url) ? {} : { proxyEnv: proxyEnvironment(), timeout });
}

/** The same for several requests, one after the other. Unused connections end after `idle` milliseconds. */
export function keptWayOut(url: URL, idle: number): HttpAgent {
  const proxy = isHere(url) ? {} : { proxyEnv: proxyEnvironment() };
  return agentFor(url, { ...proxy, keepAlive: true, maxSockets: 1, timeout: idle });
}

function agentFor(url: URL, options: AgentOptions): HttpAgent {
  return url.protocol === 'https:' ? new HttpsAgent(options) : new Agent(options);
}

/** Throws ParityError `usage` if the proxy for a URL cannot be used: Node would ignore it. */
export function checkWayOut(url: URL): void {
  const proxy = proxyFor(url);
  if (proxy === undefined || isHere(url) || (URL.canParse(proxy) && /^https?:/.test(proxy))) return;
  // The value may contain a password.
  throw new ParityError(
    'usage',
    `${variableFor(url).toUpperCase()} is not the URL of an HTTP proxy: use http://HOST:PORT`,
  );
}

/** Whether certainly no proxy is on the way to a URL. */
export function isDirect(url: URL): boolean {
  return isHere(url) || proxyFor(url) === undefined;
}

function proxyFor(url: URL): string | undefined {
  const name = variableFor(url);
  const environment = proxyEnvironment();
  return environment[name] || environment[name.toUpperCase()] || undefined;
}

function variableFor({ protocol }: URL): string {
  return `${protocol.replace(':', '')}_proxy`;
}

function isHere({ hostname }: URL): boolean {
  return /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

/** The variables that name a proxy. As in other programs, a value without a scheme is an http URL. */
function proxyEnvironment(): NodeJS.ProcessEnv {
  const { NO_PROXY, no_proxy } = process.env;
  const names = Object.keys(process.env).filter((name) => /^https?_proxy$/i.test(name));
  const urls = names.map((name) => {
    const value = process.env[name] ?? '';
    return [name, /:\/\/|^$/.test(value) ? value : `http://${value}`];
  });
  return { NO_PROXY, no_proxy, ...Object.fromEntries(urls) };
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
