import { z } from 'zod';
import { ParityError } from '../errors.ts';
import { didYouMean } from '../suggestion.ts';

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
    effect: 'closes the websocket with this code; over HTTP, ends the body early',
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

/** The requests that faults can happen at. `request` is an upgrade or a `POST` for a response. */
const requestPlaces = ['request', 'upgrade', 'post', 'token'] as const;
type RequestPlace = (typeof requestPlaces)[number];

/** Where a fault happens: at the nth occasion of its sort over all connections, or at every one. */
export type FaultPlace =
  | { readonly at: RequestPlace; readonly nth: number | 'every' }
  /** Before a message or server-sent event, of this type if given. */
  | { readonly at: 'message'; readonly type?: string; readonly nth: number | 'every' }
  /** After so many bytes of connections for responses. */
  | { readonly at: 'byte'; readonly nth: number };

/** Something that goes wrong with a connection. */
export type Fault = {
  /** As it was written. */
  readonly text: string;
  readonly kind: FaultKind;
  /** The status, code or length of its kind; the default if it was not given, and 0 if the kind has none. */
  readonly number: number;
  readonly place: FaultPlace;
};

const syntax = /^([a-z0-9-]+)(?::(\d+))?(?:@([a-z_.]+)(?::(\d+|every))?)?$/;

/** The form of a fault, for help and error messages. */
export const faultSyntax = 'KIND[:NUMBER][@PLACE[:N]]';

/**
 * Reads a fault such as `status:503@upgrade`, `reset@response.completed:2` or `stall@token:every`. Throws ParityError
 * `usage` with the problem.
 */
export function parseFault(text: string): Fault {
  const wrong = (problem: string) => new ParityError('usage', `fault "${text}": ${problem}`);
  const [, kind = '', number, place, nth] = syntax.exec(text) ?? [];
  if (kind === '') throw wrong(`write it as ${faultSyntax}, such as reset@response.completed`);
  if (!isFaultKind(kind))
    throw wrong(`no kind "${kind}": ${didYouMean(kind, faultKinds)}choose from ${faultKinds.join(', ')}`);
  const rule: FaultRule = faultRules[kind];
  const range = rule.number;
  if (range === undefined && number !== undefined) throw wrong(`${kind} takes no number`);
  const value = Number(number ?? range?.default ?? 0);
  if (range !== undefined && (value < range.min || value > range.max))
    throw wrong(`the ${range.name} must be from ${range.min} to ${range.max}`);
  return { text, kind, number: value, place: placeOf(rule, place ?? rule.place, nth, wrong) };
}

function placeOf(
  { scope }: FaultRule,
  name: string,
  nth: string | undefined,
  wrong: (problem: string) => ParityError,
): FaultPlace {
  if (nth === '0') throw wrong('occasions are counted from 1');
  const occasion = nth === 'every' ? nth : Number(nth ?? 1);
  if (isRequestPlace(name)) {
    if (scope === 'message') throw wrong(`it happens within a response, not at ${name}`);
    return { at: name, nth: occasion };
  }
  if (scope === 'request')
    throw wrong(`it happens at a request: choose the place from ${requestPlaces.join(', ')}`);
  if (name === 'byte') {
    if (scope !== 'any') throw wrong('it happens at a message, not within one');
    if (occasion === 'every' || nth === undefined) throw wrong('name the byte, as in reset@byte:1000');
    return { at: 'byte', nth: occasion };
  }
  if (name === 'message') return { at: 'message', nth: occasion };
  if (name.includes('.')) return { at: 'message', type: name, nth: occasion };
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

/** The faults that have not happened yet. All connections of a relay share them. */
export class PendingWireFaults {
  #pending: { readonly fault: Fault; seen: number; happened: boolean }[] = [];
  #bytes = 0;

  constructor(faults: readonly Fault[]) {
    this.arm(faults);
  }

  /** Replaces all faults, and counts occasions anew. */
  arm(faults: readonly Fault[]): void {
    this.#pending = faults.map((fault) => ({ fault, seen: 0, happened: false }));
    this.#bytes = 0;
  }

  /** Whether any fault can still happen. */
  get isArmed(): boolean {
    return this.#pending.some(isOpen);
  }

  /** The fault that happens at this occasion, the first of several. */
  at(occasion: Occasion): Fault | undefined {
    const due = this.#pending.filter((pending) => {
      if (!isOpen(pending) || !isAt(pending.fault, occasion)) return false;
      pending.seen += 1;
      return pending.fault.place.nth === 'every' || pending.seen === pending.fault.place.nth;
    });
    return this.#happens(due[0]);
  }

  /** The fault that happens within the next bytes, and after how many of them. */
  within(bytes: number): { readonly fault: Fault; readonly after: number } | undefined {
    const before = this.#bytes;
    this.#bytes += bytes;
    const due = this.#pending.find(
      (pending) =>
        isOpen(pending) &&
        pending.fault.place.at === 'byte' &&
        pending.fault.place.nth > before &&
        pending.fault.place.nth <= this.#bytes,
    );
    const fault = this.#happens(due);
    return fault?.place.at !== 'byte' ? undefined : { fault, after: fault.place.nth - before };
  }

  /** The faults that have not happened, as they were written. */
  left(): string[] {
    return this.#pending.filter(({ happened }) => !happened).map(({ fault }) => fault.text);
  }

  #happens(pending: { readonly fault: Fault; happened: boolean } | undefined): Fault | undefined {
    if (pending === undefined) return undefined;
    pending.happened = true;
    return pending.fault;
  }
}

function isOpen({ fault, happened }: { readonly fault: Fault; readonly happened: boolean }): boolean {
  return !happened || fault.place.nth === 'every';
}

function isAt({ kind, place }: Fault, occasion: Occasion): boolean {
  if (place.at === 'request') return occasion.at === 'upgrade' || occasion.at === 'post';
  if (place.at !== occasion.at) return false;
  if (place.at !== 'message' || occasion.at !== 'message') return true;
  const rule: FaultRule = faultRules[kind];
  if (rule.websocketOnly === true && occasion.over !== 'websocket') return false;
  return place.type === undefined || place.type === occasion.type;
}
