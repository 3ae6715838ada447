import { comparedNode, lastName, type Place } from '../golden/match/mismatch.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import { type Finding, isOf } from './finding.ts';
import { causeKey } from './report-causes.ts';

/**
 * The findings of a scenario, each with its origin where others show it: a subject that uses HTTP instead of the websocket
 * cannot send what only a websocket has, and one that writes responses anew changes much of them. `sent` is what a client
 * sent: one that never asks for an upgrade uses HTTP where an upgrade is refused too.
 */
export function withOrigins(findings: readonly Finding[], sent: readonly Exchange[] = []): Finding[] {
  const upgrades = sent.length === 0 || sent.some(({ request }) => request.method === 'GET');
  const overHttp = new Set(findings.flatMap((finding) => (isHttp(finding) ? exchangesOf(finding) : [])));
  const rebuilt = findings.filter(isOfResponseContent);
  const isRebuilt = new Set(rebuilt.map(causeKey)).size >= fewestDifferences;
  return findings.map((finding): Finding => {
    if (finding.cause !== undefined) return finding;
    if (!upgrades && isMissingUpgrade(finding)) return { ...finding, cause: { type: 'http' } };
    if (overHttp.size > 0 && followsFromHttp(finding, overHttp))
      return { ...finding, cause: { type: 'http' } };
    return isRebuilt && isOfResponseContent(finding)
      ? { ...finding, cause: { type: 'rebuilt response' } }
      : finding;
  });
}

/** Whether a request for an upgrade is missing. */
function isMissingUpgrade(finding: Finding): boolean {
  return (
    finding.kind === 'missing' && finding.expected.type === 'request' && finding.expected.method === 'GET'
  );
}

/** A response with so many differences was not passed on. */
const fewestDifferences = 3;

/** Whether something inside of responses differs. A response that is cut off was passed on until then. */
function isOfResponseContent(finding: Finding): boolean {
  if (!isOf('response neutrality', finding)) return false;
  if (finding.kind === 'missing' && finding.instead !== undefined) return false;
  return finding.places.every(
    ({ side, part }) => side === 'backend' && (part === 'message' || part === 'body'),
  );
}

function exchangesOf({ places }: Finding): number[] {
  return places.map(({ exchange }) => exchange);
}

/** Whether a request is a POST where the official client asks for an upgrade. */
function isHttp(finding: Finding): boolean {
  if (finding.kind !== 'changed') return false;
  if (!finding.places.every(({ part, path }) => part === 'handshake' && path[0] === 'method')) return false;
  const [expected, actual] = [comparedNode(finding, 'expected'), comparedNode(finding, 'actual')];
  return (
    expected?.kind === 'string' &&
    expected.value === 'GET' &&
    actual?.kind === 'string' &&
    actual.value === 'POST'
  );
}

function followsFromHttp(finding: Finding, exchanges: ReadonlySet<number>): boolean {
  if (finding.kind === 'reframed') return true;
  return finding.places.every((place) => {
    // Each request over HTTP is an exchange of its own.
    if (place.part === 'exchange') return true;
    return exchanges.has(place.exchange) && dependsOnTransport(finding, place);
  });
}

/** Whether a place differs between a websocket and HTTP, whatever the client. */
function dependsOnTransport({ kind }: Finding, { part, side, path }: Place): boolean {
  const name = lastName(path).toLowerCase();
  switch (part) {
    case 'handshake':
      return kind === 'moved' || ofTransport.has(name) || (kind === 'recased' && name === 'host');
    case 'message':
    case 'body':
      return path.length === 0 || (side === 'client' && ofMessage.has(name));
    case 'response':
    case 'connection':
    case 'ending':
    case 'exchange':
      return true;
    case 'result':
      return false;
  }
}

/** Headers that the official client sends over one transport only, and what it offers over TLS. */
const ofTransport: ReadonlySet<string> = new Set([
  ...['method', 'upgrade', 'connection', 'openai-beta', 'accept', 'accept-encoding'],
  ...['sec-websocket-version', 'sec-websocket-key', 'sec-websocket-extensions'],
  ...['content-type', 'content-length', 'content-encoding', 'transfer-encoding'],
  'alpn offered',
  ...['http/2 settings', 'http/2 window', 'http/2 pseudo-headers', 'http/2 priority', ':authority'],
]);

/** Members that the official client sends over a websocket only. */
const ofMessage: ReadonlySet<string> = new Set([
  ...['type', 'generate', 'previous_response_id', 'x-codex-ws-stream-request-start-ms'],
  'ws_request_header_x_openai_internal_codex_responses_lite',
]);
