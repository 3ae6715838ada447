import { isUuid4, isUuid5, isUuid7, timeOfUuid7 } from '../../wire/ids.ts';
import { anyText, decimal, type Extent, run, selfDelimiting, wholeNumber } from './extent.ts';

/** What all values of a variable have in common. */
export type VariableKind =
  | 'authority'
  | 'uuid7'
  | 'uuid4'
  | 'uuid5'
  | 'websocket_key'
  | 'epoch_ms'
  | 'epoch_s'
  | 'epoch_whole_s'
  | 'integer'
  | 'hex'
  | 'secret_uuid4'
  | 'secret'
  | 'sealed'
  | 'shell_text'
  | 'host_text';

type Kind = {
  /** The values, for a reader of reports. */
  readonly description: string;
  readonly accepts: (value: string) => boolean;
  /** Finds a value inside a longer string. */
  readonly extent: Extent;
  /** Two variables never have the same value. */
  readonly isIdentifier?: true;
  /** Readings of a clock: equal values at two places may be chance. */
  readonly isClock?: true;
  /** The time in an accepted value, in milliseconds since 1970. It is near the time of the other values of a run. */
  readonly time?: (value: string) => number;
};

const uuid = selfDelimiting('[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}');
const secret = '<<secret [^<>]*>>';

export const kinds: Readonly<Record<VariableKind, Kind>> = {
  authority: {
    description: 'the host, with its port, that the connection was opened to',
    // The value alone cannot be checked. It is compared with that of the connection.
    accepts: () => false,
    extent: run('[^/]'),
  },
  uuid7: {
    description: 'a UUID of version 7, with the time of the run',
    accepts: isUuid7,
    extent: uuid,
    isIdentifier: true,
    time: timeOfUuid7,
  },
  uuid4: { description: 'a UUID of version 4', accepts: isUuid4, extent: uuid, isIdentifier: true },
  uuid5: { description: 'a UUID of version 5', accepts: isUuid5, extent: uuid, isIdentifier: true },
  websocket_key: {
    description: '16 random bytes in base64',
    accepts: (value) => /^[A-Za-z0-9+/]{21}[AQgw]==$/.test(value),
    extent: selfDelimiting('[A-Za-z0-9+/]{22}=='),
    isIdentifier: true,
  },
  epoch_ms: {
    description: 'milliseconds since 1970',
    accepts: (value) => /^[12]\d{12}$/.test(value),
    extent: run('\\d'),
    isClock: true,
    time: Number,
  },
  epoch_s: {
    description: 'seconds since 1970, as a float: with a fraction, in the shortest form',
    accepts: isFloatOfSeconds,
    extent: decimal,
    isClock: true,
    time: millisecondsOf,
  },
  epoch_whole_s: {
    description: 'whole seconds since 1970',
    accepts: (value) => /^[12]\d{9}$/.test(value),
    extent: run('\\d'),
    isClock: true,
    time: millisecondsOf,
  },
  integer: { description: 'a whole number', accepts: (value) => /^-?\d+$/.test(value), extent: wholeNumber },
  hex: {
    description: 'hexadecimal digits, at least 16',
    accepts: (value) => /^[0-9a-f]{16,}$/.test(value),
    extent: run('[0-9a-f]'),
    isIdentifier: true,
  },
  secret_uuid4: {
    description: 'a secret that is a UUID of version 4',
    accepts: (value) => /^<<secret \w+ \d+ uuid4>>$/.test(value),
    extent: selfDelimiting('<<secret [^<>]* uuid4>>'),
    isIdentifier: true,
  },
  secret: {
    description: 'a secret of the account or the installation',
    accepts: (value) => new RegExp(`^${secret}$`).test(value),
    extent: selfDelimiting(secret),
    isIdentifier: true,
  },
  sealed: {
    description: 'a text that differs from host to host, known by its length and hash',
    accepts: (value) => /^\d+ [0-9a-f]{64}$/.test(value),
    // Longer lengths do not exist; with any number of digits, a text of digits would take quadratic time.
    extent: selfDelimiting('\\d{1,15} [0-9a-f]{64}'),
  },
  shell_text: {
    description: 'what the shell of the host prints beside the output of a command, often nothing',
    accepts: (value) => /^(?:<<sealed [^<>]*>>\n?)?$/.test(value),
    extent: anyText,
  },
  host_text: { description: 'a text that the host decides', accepts: () => true, extent: anyText },
};

/**
 * The official client writes a 64-bit float in its shortest form, and a whole one with ".0" (measured: codex 0.169.0,
 * `create_time`).
 */
function isFloatOfSeconds(value: string): boolean {
  return /^[12]\d{9}\.\d+$/.test(value) && String(Number(value)) === value.replace(/\.0$/, '');
}

function millisecondsOf(seconds: string): number {
  return Number(seconds) * 1000;
}

/** The kinds that recorded values can have, from the narrowest to the widest. */
const learnable: readonly VariableKind[] = [
  'uuid7',
  'uuid4',
  'uuid5',
  'secret_uuid4',
  'secret',
  'websocket_key',
  'epoch_ms',
  'epoch_s',
  'epoch_whole_s',
  'sealed',
  'hex',
  'integer',
  'host_text',
];

/** The narrowest kind that accepts every value. */
export function narrowestKind(values: readonly string[]): VariableKind {
  return learnable.find((kind) => values.every(kinds[kind].accepts)) ?? 'host_text';
}

export const variableKinds: readonly VariableKind[] = ['authority', 'shell_text', ...learnable];
