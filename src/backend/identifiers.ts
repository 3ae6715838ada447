import { randomBytes } from 'node:crypto';

/** What the backend hands out ids for, with the prefix each kind carries on the wire. */
const prefixes = {
  response: 'resp_',
  message: 'msg_',
  customToolCall: 'ctc_',
  functionCall: 'fc_',
  call: 'call_',
  compaction: 'cmp_',
} as const;

/**
 * A fresh id such as `resp_1f0c…`: the prefix and 48 hex digits. Random and not counted, so that two connections,
 * or two runs that are compared with each other, never share an id by accident.
 */
export function newId(kind: keyof typeof prefixes): string {
  return prefixes[kind] + randomBytes(24).toString('hex');
}
