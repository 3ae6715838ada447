import { randomFrom } from '../../src/fault/random.ts';

/** How a client talks to the proxy. */
export const surfaces = [
  'official websocket',
  'official POST',
  'responses',
  'chat',
  'responses websocket',
] as const;
export type Surface = (typeof surfaces)[number];

/** How a client leaves before it has its response. `half-closed` ends its writing side only. */
const aborts = ['at once', 'within the request', 'within the response', 'half-closed', 'unread'] as const;
export type Abort = (typeof aborts)[number];

/** Statuses with which the backend refuses an upgrade, or ends the connection instead, or says nothing. */
const upgradeFaults = [401, 426, 429, 500, 503, 'reset', 'silence'] as const;
/** What the backend does instead of a response, or in the middle of one. A number is an error with that status. */
const responseFaults = [400, 401, 429, 500, 503, 'close', 'drop', 'reset', 'silence'] as const;

export type Fault = {
  readonly at: 'upgrade' | 'prewarm' | 'start' | 'middle';
  readonly how: (typeof upgradeFaults)[number] | (typeof responseFaults)[number];
  /** The attempts that it happens to. */
  readonly times: number;
};

export type PlannedTurn = {
  /** Stands in every text of the turn's request and response, and nowhere else. */
  readonly id: string;
  /** Whether the client wants one whole response. */
  readonly whole: boolean;
  readonly deltas: number;
  /** Characters that each delta has besides its own number. */
  readonly deltaPadding: number;
  /** Milliseconds between two deltas. */
  readonly pace: number;
  readonly callsTool: boolean;
  readonly hasNoise: boolean;
  /** Characters of the request's prompt besides the id. */
  readonly promptPadding: number;
  readonly compressed: boolean;
  readonly fault: Fault | undefined;
  readonly abort: Abort | undefined;
  /** The share of the deltas after which a fault or an abort within the response happens. */
  readonly position: number;
  /** Milliseconds before the turn. */
  readonly pause: number;
};

export type PlannedSession = {
  readonly name: string;
  /** The id that the client states. */
  readonly id: string;
  readonly surface: Surface;
  /** Where the client states its session, if it does. Official clients always do. */
  readonly naming: 'prompt_cache_key' | 'session-id' | 'none';
  /** Whether it continues with `previous_response_id` instead of the whole conversation. */
  readonly chains: boolean;
  /** Whether an official client's handshake names the model, as it does to the official backend. */
  readonly hasHint: boolean;
  /** Whether all turns use one connection while it lasts. */
  readonly keepsConnection: boolean;
  readonly turns: readonly PlannedTurn[];
};

/** The ids of turns in a text. */
export const turnId = /\bs\d+t\d+\b/g;

export type PlanOptions = {
  readonly sessions: number;
  readonly seed: number;
  /** The number of the first session. */
  readonly first?: number;
};

/** Draws the sessions of a soak. The same seed gives the same ones. */
export function planSessions({ sessions, seed, first = 0 }: PlanOptions): PlannedSession[] {
  const random = randomFrom(seed);
  const upTo = (limit: number) => Math.floor(random() * limit);
  const chance = (share: number) => random() < share;
  const pick = <T>(from: readonly T[]): T => {
    const picked = from[upTo(from.length)];
    if (picked === undefined) throw new RangeError('there is nothing to pick from');
    return picked;
  };
  const fault = (surface: Surface): Fault => {
    const at = pick(
      surface === 'official POST'
        ? (['start', 'middle'] as const)
        : (['upgrade', 'start', 'start', 'middle', 'middle', 'prewarm'] as const),
    );
    if (at === 'prewarm') return { at, how: pick([500, 'close', 'reset'] as const), times: 1 };
    const how = at === 'upgrade' ? pick(upgradeFaults) : pick(responseFaults);
    // Each silence takes seconds.
    const most = how === 'silence' ? 2 : Number.POSITIVE_INFINITY;
    return { at, how, times: chance(0.3) ? most : 1 };
  };
  return Array.from({ length: sessions }, (_, index) => {
    // Each surface has as many sessions as the others.
    const surface = surfaces[index % surfaces.length] ?? 'responses';
    const isOfficial = surface.startsWith('official');
    const name = `s${first + index}`;
    const turns = Array.from({ length: 1 + upTo(4) }, (_unused, turn): PlannedTurn => {
      const isLarge = chance(0.1);
      return {
        id: `${name}t${turn}`,
        whole: (surface === 'responses' || surface === 'chat') && chance(0.4),
        deltas: 1 + upTo(40),
        deltaPadding: chance(0.1) ? 20_000 : upTo(40),
        pace: chance(0.3) ? upTo(20) : 0,
        callsTool: chance(0.3),
        hasNoise: chance(0.3),
        promptPadding: isLarge ? 200_000 : upTo(200),
        compressed: (isLarge || chance(0.2)) && !surface.endsWith('websocket'),
        fault: chance(0.35) ? fault(surface) : undefined,
        abort: chance(0.25) ? pick(aborts) : undefined,
        position: random(),
        pause: chance(0.5) ? upTo(100) : 0,
      };
    });
    return {
      name,
      id: `01a20000-0000-7000-8000-${String(first + index).padStart(12, '0')}`,
      surface,
      naming: isOfficial ? 'session-id' : pick(['prompt_cache_key', 'session-id', 'none'] as const),
      chains: surface !== 'chat' && surface !== 'official POST' && chance(0.5),
      hasHint: chance(0.6),
      keepsConnection: chance(0.7),
      turns,
    };
  });
}
