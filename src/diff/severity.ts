import { type CauseCode, codeOf, isSingleCode, partsOf, type SingleCode, type Topic } from './cause-code.ts';
import type { Finding } from './finding.ts';

/**
 * How much harm a difference does, the worst first:
 *
 * - breaks: the backend or the client treats the message differently;
 * - identity: it shows the backend another client, version or device;
 * - shape: the receiver reads the same, but the official client, or the official backend, does not send it so.
 */
export const severities = ['breaks', 'identity', 'shape'] as const;
export type Severity = (typeof severities)[number];

/** The topics that do not break anything. */
const mildTopics: Readonly<Partial<Record<Topic, Severity>>> = {
  'client/name': 'identity',
  'client/installation': 'identity',
  'metadata/turn': 'identity',
  'metadata/client': 'identity',
  // A receiver ignores header fields that it does not know (RFC 9110, section 5.1).
  'shape/header': 'shape',
};

/** The single codes that do not break anything. */
const mildCodes: Readonly<Partial<Record<SingleCode, Severity>>> = {
  'client/other-version': 'identity',
  'transport/http-version': 'shape',
  'transport/alpn': 'shape',
  // The order of header fields with different names does not matter (RFC 9110, section 5.3), nor does the case of their
  // names (section 5.1), or the order of JSON members (RFC 8259, section 4). The order of list items does.
  'shape/header-order': 'shape',
  'shape/header-case': 'shape',
  'shape/key-order': 'shape',
  'shape/json-spelling': 'shape',
  'shape/json-spacing': 'shape',
  'shape/event-form': 'shape',
  // Compression and fragments are undone by the receiver.
  'shape/compression': 'shape',
  'shape/fragments': 'shape',
  // Visible to the backend, without a known effect.
  'wire/tls-versions': 'shape',
  'wire/tls-ciphers': 'shape',
  'wire/tls-groups': 'shape',
  'wire/tls-key-shares': 'shape',
  'wire/tls-signatures': 'shape',
  'wire/tls-extensions': 'shape',
  'wire/http2-settings': 'shape',
  'wire/http2-window': 'shape',
  'wire/http2-pseudo-headers': 'shape',
  'wire/http2-priority': 'shape',
  'wire/http2-frames': 'shape',
  'wire/http2-trailers': 'shape',
};

/** The severity of a cause. */
export function severityOfCode(code: CauseCode): Severity {
  if (isSingleCode(code)) return mildCodes[code] ?? 'breaks';
  const topic = partsOf(code)?.topic;
  return (topic === undefined ? undefined : mildTopics[topic]) ?? 'breaks';
}

export function severityOf(finding: Finding): Severity {
  return severityOfCode(codeOf(finding));
}
