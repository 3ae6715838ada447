import type { PageData, TrafficData } from './model.ts';

/** What the live page shows: the newest sessions and turns. All texts are plain, and secrets in them are sealed. */
export type WatchState = {
  /** The base URL that clients use, and where requests go. */
  readonly listen: string;
  readonly upstream: string;
  /** From the one that was used longest ago. */
  readonly sessions: readonly SessionData[];
  /** How many sessions, and turns of each, are kept. */
  readonly limits: { readonly sessions: number; readonly turns: number };
  readonly dropped: DroppedData;
};

/** What is not kept, so that the memory stays constant. */
type DroppedData = {
  readonly sessions: number;
  readonly turns: number;
  /** Turns whose frames are no longer kept. */
  readonly frames: number;
};

export type SessionData = {
  readonly number: number;
  readonly id: string;
  /** Client and version, in a few words. */
  readonly client: string;
  readonly golden: GoldenVerdictData;
  readonly turns: readonly TurnData[];
  /** How many earlier turns are not kept. */
  readonly earlier: number;
  readonly notes: readonly NoteOfSession[];
};

/** How the session compares with a golden: its start, and what later turns have more. */
export type GoldenVerdictData = {
  readonly type: 'pending' | 'parity' | 'findings' | 'not compared';
  /** The golden, or why there is no verdict. */
  readonly text: string;
  readonly findings: readonly SessionFinding[];
  /** The turn whose frames show them. */
  readonly turn?: number;
};

export type SessionFinding = {
  readonly code: string;
  readonly level: 'breaks' | 'identity' | 'shape';
  readonly title: string;
  readonly effect: string | null;
  /** The turn that has it, and none before it has; absent for the first turn. */
  readonly turn?: { readonly id: number; readonly title: string };
};

/** `after` is the id of the turn that came before it. */
export type NoteOfSession = { readonly after: number; readonly text: string; readonly mark: Mark };

/** `note` is neither right nor wrong, but worth a look. */
export type Mark = 'ok' | 'wrong' | 'note' | 'none';

/** A verdict: a few words, a mark, and what stands behind it. */
export type TurnPart = {
  readonly topic: 'tier' | 'hint' | 'transport' | 'cache key' | 'chain' | 'cache' | 'time' | 'ending';
  readonly text: string;
  readonly mark: Mark;
  readonly why: string;
  readonly fix?: string;
};

export type TurnData = {
  readonly id: number;
  readonly title: string;
  readonly model: string;
  readonly parts: readonly TurnPart[];
  readonly running: boolean;
  readonly tokens?: { readonly input: number; readonly cached: number; readonly output: number };
  readonly firstToken?: number;
  readonly duration?: number;
};

/** What the page receives while it is open: everything at first, and then what changed. */
export type WatchMessage =
  | { readonly type: 'state'; readonly state: WatchState }
  | {
      readonly type: 'update';
      /** With those of its turns that changed. */
      readonly session: SessionData;
      readonly dropped: DroppedData;
    };

/** A turn with its frames: one conversation of a page like the HTML report's. */
export type TurnPage = { readonly page: PageData; readonly traffic: TrafficData };
