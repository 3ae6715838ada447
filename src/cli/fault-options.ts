import type { Options } from 'yargs';
import { ParityError } from '../errors.ts';
import {
  type Fault,
  type FaultRule,
  faultKinds,
  faultRules,
  faultSyntax,
  parseFault,
} from '../fault/fault.ts';
import type { Side } from '../wire/message.ts';
import { mustBeWhole } from './options.ts';

/** The options `--fault` and `--vary` of commands that play one side. */
export const faultOptions = {
  fault: {
    requiresArg: true,
    type: 'string',
    array: true,
    describe: `Let something go wrong, as ${faultSyntax} (see below); repeatable`,
  },
  vary: {
    requiresArg: true,
    type: 'number',
    describe: 'Vary what the protocols leave open, without a fault, by this seed (see below)',
  },
} as const satisfies Readonly<Record<string, Options>>;

/** The values of `--fault` and `--vary`. */
export type FaultOptions = {
  readonly fault: readonly string[] | undefined;
  readonly vary: number | undefined;
};

/** Reads the options for a side. Throws ParityError for what that side cannot do. */
export function readFaults(
  { fault = [], vary }: FaultOptions,
  side: Side,
): { readonly faults: readonly Fault[]; readonly vary: number | undefined } {
  if (vary !== undefined) mustBeSeed(vary);
  const faults = fault.map(parseFault);
  const impossible =
    side === 'client'
      ? faults.find(({ kind, place }) => isBackendOnly(kind) || place.at === 'handshake')
      : undefined;
  if (impossible !== undefined)
    throw new ParityError('usage', `fault "${impossible.text}": only a backend can do it`);
  return { faults, vary };
}

/** Throws ParityError unless the value of `--vary` is a seed. */
export function mustBeSeed(vary: number): void {
  mustBeWhole('vary', vary, 0, 2 ** 31 - 1);
}

/** The part of the help about faults and variation. */
export function faultHelp(side: Side): string {
  const kinds = faultKinds.filter((kind) => side === 'backend' || !isBackendOnly(kind));
  const lines = kinds.map((kind) => {
    const { number, effect }: FaultRule = faultRules[kind];
    return `  ${`${kind}${number === undefined ? '' : `:${number.default}`}`.padEnd(19)}${effect}`;
  });
  const varied =
    side === 'backend'
      ? 'how bytes are split, frames, pings, compression of messages, and how fast it reads and writes'
      : 'how bytes are split, and how fast it reads and writes';
  return (
    `Kinds of faults:\n${lines.join('\n')}\n\n` +
    `Places: request (an upgrade or POST), upgrade, post, token (a renewal of the sign-in)${side === 'backend' ? ', handshake (of TLS)' : ''}; message, or the type of an event such ` +
    'as response.completed, for what happens before it; byte. :N is the nth request, or the nth message or byte of a connection ' +
    '(default 1). A fault happens once; with :every, at every request or on every connection.\n\n' +
    `--vary varies ${varied}. It never changes a verdict.`
  );
}

function isBackendOnly(kind: Fault['kind']): boolean {
  const rule: FaultRule = faultRules[kind];
  return rule.backendOnly === true;
}
