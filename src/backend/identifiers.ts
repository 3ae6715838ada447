import { randomBytes } from 'node:crypto';

/** The prefix of each kind of id. */
const prefixes = {
  response: 'resp_',
  message: 'msg_',
  customToolCall: 'ctc_',
  functionCall: 'fc_',
  call: 'call_',
  compaction: 'cmp_',
} as const;

/**
 * A new id such as `resp_1f0c…`: the prefix and 48 random hex digits. With a counter, two runs that are compared would
 * share ids by accident.
 */
export function newId(kind: keyof typeof prefixes): string {
  return prefixes[kind] + randomBytes(24).toString('hex');
}
