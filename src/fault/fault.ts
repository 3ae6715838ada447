import { z } from 'zod';
import { ParityError } from '../errors.ts';
import { chooseFrom, didYouMean } from '../suggestion.ts';

/** Where a fault can happen: at a request, within what follows it, or at both. */
type Scope = 'request' | 'message' | 'any';

/** What a fault's kind says about its number, such as the status of `status:503`. */
type FaultNumber = {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly name: string;
};

/** What a kind of fault does, and where it can happen. */
export type FaultRule = {
  /** What happens, for the help and the documents. */
  readonly effect: string;
  readonly scope: Scope;
  /** Where it happens unless a place is given. */
  readonly place: string;
  readonly number?: FaultNumber;
  /** Only websockets have it. */
  readonly websocketOnly?: true;
  /** Only a backend can do it. */
  readonly backendOnly?: true;
};

const status = (value: number): FaultNumber => ({ default: value, min: 400, max: 599, name: 'HTTP status' });
const mebibyte = 1024 * 1024;

/** All kinds of faults. */
export const faultRules = {
  status: {
    effect: 'refuses the request with this HTTP status',
    scope: 'request',
    place: 'upgrade',
    number: status(503),
    backendOnly: true,
  },
  reset: { effect: 'resets the connection (RST)', scope: 'any', place: 'message' },
  drop: { effect: 'ends the connection (FIN), without a close message', scope: 'any', place: 'message' },
  'half-open': {
    effect: 'neither sends nor reads any more, and leaves the connection open',
    scope: 'any',
    place: 'message',
  },
  stall: {
    effect: 'sends nothing more but responses to pings, and leaves the connection open',
    scope: 'any',
    place: 'message',
  },
  close: {
    effect: 'closes the websocket with this code; over HTTP, ends the body before its time',
    scope: 'message',
    place: 'message',
    number: { default: 1011, min: 1000, max: 4999, name: 'close code' },
  },
  error: {
    effect: 'sends an error frame or event of this status instead of the rest of the response',
    scope: 'message',
    place: 'message',
    number: status(500),
    backendOnly: true,
  },
  malformed: {
    effect: 'sends a message that is not complete JSON, then goes on',
    scope: 'message',
    place: 'message',
  },
  binary: { effect: 'sends a binary message, then goes on', scope: 'message', place: 'message' },
  oversize: {
    effect: 'sends a message of this many bytes, then goes on',
    scope: 'message',
    place: 'message',
    number: { default: 17 * mebibyte, min: 1, max: 256 * mebibyte, name: 'number of bytes' },
  },
  'invalid-utf8': {
    effect: 'sends a text message that is not UTF-8, then goes on',
    scope: 'message',
    place: 'message',
  },
  'bad-deflate': {
    effect: 'sends a compressed message that does not decompress, then goes on',
    scope: 'message',
    place: 'message',
    websocketOnly: true,
  },
  masking: {
    effect: 'sends a frame with a mask, or as a client without one, then goes on',
    scope: 'message',
    place: 'message',
    websocketOnly: true,
  },
  'tls-alert': {
    effect: 'sends a TLS alert, and ends the connection',
    scope: 'any',
    place: 'request',
  },
  twice: {
    effect: 'sends all messages since the last response again, up to this one',
    scope: 'message',
    place: 'response.completed',
  },
  early: {
    effect: 'sends a whole response before the request for one',
    scope: 'request',
    place: 'request',
    backendOnly: true,
  },
} as const satisfies Readonly<Record<string, FaultRule>>;

export type FaultKind = keyof typeof faultRules;

export const faultKinds = Object.keys(faultRules).filter(isFaultKind);

/**
 * The requests that faults can happen at, and the TLS handshake before them. `request` is an upgrade or a `POST` for a response.
 */
const requestPlaces = ['request', 'upgrade', 'post', 'token', 'handshake'] as const;
type RequestPlace = (typeof requestPlaces)[number];

/**
 * Where a fault happens: at the nth request of all connections, or the nth message or byte of a connection. It happens once, or
 * at every such request and on every such connection.
 */
export type FaultPlace = { readonly nth: number; readonly every: boolean } & (
  | { readonly at: RequestPlace }
  /** Before a message or server-sent event, of this type if given. */
  | { readonly at: 'message'; readonly type?: string }
  /** After so many bytes of a connection for responses. */
  | { readonly at: 'byte' }
);

/** Something that goes wrong with a connection. */
export type Fault = {
  /** As it was written. */
  readonly text: string;
  readonly kind: FaultKind;
  /** The status, code or length of its kind; the default if it was not given, and 0 if the kind has none. */
  readonly number: number;
  readonly place: FaultPlace;
};

const syntax = /^([a-z0-9-]+)(?::(\d+))?(?:@([a-z_.]+)(?::(\d+))?(:every)?)?$/;

/** The form of a fault, for help and error messages. */
export const faultSyntax = 'KIND[:NUMBER][@PLACE[:N][:every]]';

/**
 * Reads a fault such as `status:503@upgrade`, `reset@response.completed:2` or `stall@token:every`. Throws ParityError
 * `usage` with the problem.
 */
export function parseFault(text: string): Fault {
  const wrong = (problem: string) => new ParityError('usage', `fault "${text}": ${problem}`);
  const [, kind = '', number, place, nth, every] = syntax.exec(text) ?? [];
  if (kind === '') throw wrong(`write it as ${faultSyntax}, such as reset@response.completed`);
  if (!isFaultKind(kind)) throw wrong(`no kind "${kind}": ${chooseFrom(kind, faultKinds)}`);
  const rule: FaultRule = faultRules[kind];
  const range = rule.number;
  if (range === undefined && number !== undefined) throw wrong(`${kind} takes no number`);
  const value = Number(number ?? range?.default ?? 0);
  if (range !== undefined && (value < range.min || value > range.max))
    throw wrong(`the ${range.name} must be from ${range.min} to ${range.max}`);
  const occasion = { nth: Number(nth ?? 1), every: every !== undefined };
  if (occasion.nth === 0) throw wrong('places are counted from 1');
  if (place === 'byte' && nth === undefined) throw wrong('name the byte, as in reset@byte:1000');
  return { text, kind, number: value, place: placeOf(rule, place ?? rule.place, occasion, wrong) };
}

function placeOf(
  { scope }: FaultRule,
  name: string,
  occasion: Pick<FaultPlace, 'nth' | 'every'>,
  wrong: (problem: string) => ParityError,
): FaultPlace {
  if (isRequestPlace(name)) {
    if (scope === 'message') throw wrong(`it happens within a response, not at ${name}`);
    if (scope === 'request' && name === 'handshake') throw wrong('it happens at a request, not before one');
    if (occasion.every && occasion.nth > 1) throw wrong(`write :N or :every after ${name}, not both`);
    return { at: name, ...occasion };
  }
  if (scope === 'request')
    throw wrong(
      `it happens at a request: choose the place from ${requestPlaces.filter((one) => one !== 'handshake').join(', ')}`,
    );
  if (name === 'byte') {
    if (scope !== 'any') throw wrong('it happens at a message, not within one');
    return { at: 'byte', ...occasion };
  }
  if (name === 'message') return { at: 'message', ...occasion };
  if (name.includes('.')) return { at: 'message', type: name, ...occasion };
  const known = [...requestPlaces, 'message', 'byte'];
  throw wrong(
    `no place "${name}": ${didYouMean(name, known)}choose from ${known.join(', ')}, or the type of an event, such as response.completed`,
  );
}

/** A fault of a scenario file. */
export const faultText = z.string().transform((text, context): Fault => {
  try {
    return parseFault(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});

function isFaultKind(name: string): name is FaultKind {
  return Object.hasOwn(faultRules, name);
}

function isRequestPlace(name: string): name is RequestPlace {
  return requestPlaces.some((place) => place === name);
}

/** Something at which a fault can happen. */
export type Occasion =
  | { readonly at: Exclude<RequestPlace, 'request'> }
  | { readonly at: 'message'; readonly type: string | undefined; readonly over: 'websocket' | 'http' };

type PendingFault = {
  readonly fault: Fault;
  happened: boolean;
  /** How many occasions there were: by connection, except for requests. */
  readonly seen: Map<number, number>;
};

/** The faults that have not happened yet. All connections of a relay share them. */
export class PendingWireFaults {
  #pending: readonly PendingFault[] = [];

  constructor(faults: readonly Fault[]) {
    this.arm(faults);
  }

  /** Replaces all faults, and counts their occasions anew. */
  arm(faults: readonly Fault[]): void {
    this.#pending = faults.map((fault) => ({ fault, happened: false, seen: new Map() }));
  }

  /** Whether any fault can still happen. */
  get isArmed(): boolean {
    return this.#pending.some(isOpen);
  }

  /** The fault that happens at this occasion of a connection, the first of several. */
  at(occasion: Occasion, connection: number): Fault | undefined {
    const counted = occasion.at === 'message' ? connection : 0;
    const due = this.#pending.filter((pending) => {
      if (!isOpen(pending) || !isAt(pending.fault, occasion)) return false;
      const { nth, every, at } = pending.fault.place;
      const seen = count(pending, counted, 1);
      return seen === nth || (every && at !== 'message');
    });
    return happens(due[0]);
  }

  /** The fault that happens within the next bytes of a connection, and after how many of them. */
  within(bytes: number, connection: number): { readonly fault: Fault; readonly after: number } | undefined {
    for (const pending of this.#pending) {
      const { at, nth } = pending.fault.place;
      if (at !== 'byte' || !isOpen(pending)) continue;
      const seen = count(pending, connection, bytes);
      const after = nth - (seen - bytes);
      const fault = after > 0 && nth <= seen ? happens(pending) : undefined;
      if (fault !== undefined) return { fault, after };
    }
    return undefined;
  }

  /** The faults that have not happened, as they were written. */
  left(): string[] {
    return this.#pending.filter(({ happened }) => !happened).map(({ fault }) => fault.text);
  }
}

function isOpen({ fault, happened }: PendingFault): boolean {
  return !happened || fault.place.every;
}

/** Counts occasions, and returns how many there were. */
function count({ seen }: PendingFault, connection: number, more: number): number {
  const sum = (seen.get(connection) ?? 0) + more;
  seen.set(connection, sum);
  return sum;
}

function happens(pending: PendingFault | undefined): Fault | undefined {
  if (pending === undefined) return undefined;
  pending.happened = true;
  return pending.fault;
}

function isAt({ kind, place }: Fault, occasion: Occasion): boolean {
  if (place.at === 'request') return occasion.at === 'upgrade' || occasion.at === 'post';
  if (place.at !== occasion.at) return false;
  if (place.at !== 'message' || occasion.at !== 'message') return true;
  const rule: FaultRule = faultRules[kind];
  if (rule.websocketOnly === true && occasion.over !== 'websocket') return false;
  return place.type === undefined || place.type === occasion.type;
}
